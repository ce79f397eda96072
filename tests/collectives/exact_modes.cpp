// Exact sums of many terms do not depend on threads, rounding modes, traps and flags, and leave
// them as they are.

#include <doctest/doctest.h>
#include <omp.h>

#include <cfenv>
#include <limits>
#include <span>
#include <vector>

#include "each_kernel.hpp"

using namespace cairn;
using namespace test;

TEST_CASE("any number of threads gives the same bits") {
  for (const std::size_t n : {std::size_t{0}, std::size_t{3}, std::size_t{100}, 3 * block + 1}) {
    const Terms a = random_doubles(n, n, -300, 300);
    const Terms b = random_doubles(n + 1, n, -300, 300);
    const double sum = sum_of(a);
    const double dot = dot_of(a, b);
    for (const int threads : {0, 1, 2, 3, 4}) {
      CAPTURE(threads);
      with_each_kernel([&] {
        CHECK(same(sum_of(a, threads), sum));
        CHECK(same(dot_of(a, b, threads), dot));
      });
    }
  }
}

TEST_CASE("no more threads than terms") {
  constexpr int many = std::numeric_limits<int>::max();
  const std::vector<double> x{0.1, 0.2, 0.3};
  for (std::size_t n = 0; n <= x.size(); ++n) {
    const std::span<const double> terms(x.data(), n);
    CHECK(same(sum_of(terms, many), sum_of(terms, 1)));
    CHECK(same(dot_of(terms, terms, many), dot_of(terms, terms, 1)));
  }
}

TEST_CASE("threads by default, for many terms, and none inside a parallel region") {
  const Terms a = units(110, 300000);
  const double sum = sum_of(a, 1);
  CHECK(same(sum_of(a, 0), sum));
  bool equal = true;
#pragma omp parallel num_threads(2) reduction(&& : equal)
  equal = same(sum_of(a, 0), sum) && same(sum_of(a, 2), sum);
  CHECK(equal);
}

TEST_CASE("the rounding mode plays no role, and stays as it is") {
  const Terms a = units(120, 700);
  Terms b = units(121, 700);
  const double sum = sum_of(a);
  const double dot = dot_of(a, b);
  const double norm = norm_of(a);
  with_each_kernel([&] {
    for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST}) {
      std::fesetround(mode);
      const double rounded[] = {sum_of(a, 2), dot_of(a, b, 2), norm_of(a)};
      const int after = std::fegetround();
      std::fesetround(FE_TONEAREST);
      CHECK(after == mode);
      CHECK(same(rounded[0], sum));
      CHECK(same(rounded[1], dot));
      CHECK(same(rounded[2], norm));
    }
  });
}

#if defined(__SSE2__)
TEST_CASE("flushed denormals, traps and flags play no role, and stay as they are") {
  constexpr unsigned flush_and_denormals_are_zero = 0x8040;
  constexpr unsigned all_masks = 0x1f80;
  Terms tiny(100, smallest);
  tiny[50] = -Limits::min();
  Terms mixed = units(130, 100);
  mixed[9] = 0x1p-1060;
  mixed[10] = 0x1p-600;
  mixed[11] = largest;
  const Terms halves(100, 0.5);
  const double tiny_dot = dot_of(tiny, halves);
  const double mixed_sum = sum_of(mixed);
  const double mixed_dot = dot_of(mixed, mixed);
  const unsigned before = __builtin_ia32_stmxcsr();
  with_each_kernel([&] {
    for (const unsigned modes : {before | flush_and_denormals_are_zero, before & ~all_masks}) {
      __builtin_ia32_ldmxcsr(modes);
      const double sum = sum_of(tiny);
      const double dots[] = {dot_of(tiny, halves), dot_of(mixed, mixed)};
      const double sum_of_mixed = sum_of(mixed);
      const unsigned after = __builtin_ia32_stmxcsr();
      __builtin_ia32_ldmxcsr(before);
      CHECK(after == modes);
      CHECK(same(sum, -Limits::min() + 99 * smallest));
      CHECK(same(dots[0], tiny_dot));
      CHECK(same(dots[1], mixed_dot));
      CHECK(same(sum_of_mixed, mixed_sum));
    }
  });
}
#endif
