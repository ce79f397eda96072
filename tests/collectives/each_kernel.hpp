/// What the tests of exact sums of many terms share: each kernel in turn, and checks against big
/// integers.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cairn/collectives/exact_sum.hpp"
#include "cairn/core/random.hpp"
#include "exact_cases.hpp"
#include "exact_kernels.hpp"
#include "exact_twin.hpp"

namespace cairn::test {

using Terms = std::vector<double>;
using View = std::span<const double>;

/// Calls `check` with each kernel of this machine chosen in turn, with one of eight lanes, and with
/// none.
void with_each_kernel(const std::function<void()>& check);

inline ExactSum sum_over(View terms, int threads = 1) {
  ExactSum sum;
  sum.add(terms, ExactOptions{threads});
  return sum;
}

inline ExactSum products_over(View a, View b, int threads = 1) {
  ExactSum sum;
  sum.add_products(a, b, ExactOptions{threads});
  return sum;
}

inline double sum_of(View terms, int threads = 1) { return sum_over(terms, threads).round(); }
inline double dot_of(View a, View b, int threads = 1) {
  return products_over(a, b, threads).round();
}
inline double norm_of(View x) { return products_over(x, x).round_root(); }

/// Whether two sums are the same number, to the last of the bits that round() does not show.
inline bool same_number(ExactSum a, ExactSum b) {
  constexpr std::size_t digits = 134;
  const auto x = detail::ExactWords::of(a).first<digits>();
  const auto y = detail::ExactWords::of(b).first<digits>();
  return std::equal(x.begin(), x.end(), y.begin());
}

inline void check_sum(View terms) {
  ExactTwin twin;
  twin.add(terms);
  ExactSum one_by_one;
  for (const double x : terms) one_by_one.add(x);
  with_each_kernel([&] {
    const ExactSum sum = sum_over(terms);
    CHECK(twin.is_nearest(sum.round()));
    CHECK(same_number(sum, one_by_one));
  });
}

inline void check_dot(View a, View b) {
  ExactTwin twin;
  twin.add_products(a, b);
  ExactSum one_by_one;
  for (std::size_t i = 0; i < a.size(); ++i) one_by_one.add_product(a[i], b[i]);
  with_each_kernel([&] {
    const ExactSum sum = products_over(a, b);
    CHECK(twin.is_nearest(sum.round()));
    CHECK(same_number(sum, one_by_one));
  });
}

inline void check_norm(View x) {
  ExactTwin twin;
  twin.add_products(x, x);
  with_each_kernel([&] { CHECK(twin.is_nearest_root(norm_of(x))); });
}

/// 1 ≤ |x| < 2, and all bits of the significand are random.
inline Terms units(std::uint64_t seed, std::size_t n) {
  const Random random(seed, 3);
  Terms terms(n);
  for (std::size_t i = 0; i < n; ++i) {
    terms[i] = 1.0 + static_cast<double>(random.bits(2 * i) >> 12) * Limits::epsilon();
    if ((random.bits(2 * i + 1) & 1) != 0) terms[i] = -terms[i];
  }
  return terms;
}

inline Terms scaled(Terms terms, int exponent) {
  for (double& x : terms) x = std::ldexp(x, exponent);
  return terms;
}

inline void append(Terms& terms, View more) { terms.insert(terms.end(), more.begin(), more.end()); }

/// Factors whose dot product is `rest` · 2^-`depth` of its largest term, or so: Σ a b of exponents
/// that fall from 2^0, then the same with the other sign and the factors in other places.
inline void cancelling_factors(int depth, double rest, Terms& a, Terms& b) {
  a = units(11, 900);
  b = units(12, 900);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = std::ldexp(a[i], -static_cast<int>(i) * depth / 1000);
  }
  const Terms once = a;
  for (const double x : b) a.push_back(-x);
  append(b, once);
  a.push_back(std::ldexp(rest, -depth / 2));
  b.push_back(std::ldexp(1.0, -(depth - depth / 2)));
}

inline constexpr std::size_t block = exact::block_terms;

}  // namespace cairn::test
