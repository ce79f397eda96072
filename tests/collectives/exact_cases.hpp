/// Terms for the tests of exact sums, and how their results are compared.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "cairn/core/random.hpp"

namespace cairn::test {

using Limits = std::numeric_limits<double>;
inline constexpr double largest = Limits::max();
inline constexpr double smallest = Limits::denorm_min();
inline constexpr double infinity = Limits::infinity();
inline constexpr double not_a_number = Limits::quiet_NaN();

/// Equal to the last bit: tells -0 from +0; all NaNs are alike.
inline bool same(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

/// A double of either sign whose significand is random and whose last place is 2^k for a k of
/// [first, last); denormal where k = -1074.
inline double random_double(const Random& random, std::uint64_t index, int first, int last) {
  const auto significand = static_cast<double>(random.bits(3 * index) >> 11);
  const auto span = static_cast<std::uint64_t>(last - first);
  const int exponent = first + static_cast<int>(random.below(3 * index + 1, span));
  const double x = std::ldexp(significand, exponent);
  return (random.bits(3 * index + 2) & 1) != 0 ? -x : x;
}

inline std::vector<double> random_doubles(std::uint64_t seed, std::size_t n, int first, int last) {
  const Random random(seed);
  std::vector<double> terms(n);
  for (std::size_t i = 0; i < n; ++i) terms[i] = random_double(random, i, first, last);
  return terms;
}

inline std::vector<double> shuffled(std::vector<double> terms, std::uint64_t seed) {
  const Random random(seed, 99);
  for (std::size_t i = terms.size(); i > 1; --i) {
    std::swap(terms[i - 1], terms[random.below(i, i)]);
  }
  return terms;
}

}  // namespace cairn::test
