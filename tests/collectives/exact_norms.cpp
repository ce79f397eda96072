// Norms: the root of an exact sum of squares, rounded once.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "each_kernel.hpp"

using namespace cairn;
using namespace test;

TEST_CASE("norms are the rounded roots of exact sums") {
  with_each_kernel([&] {
    CHECK(same(norm_of({}), 0.0));
    CHECK(same(norm_of(Terms{3.0, -4.0}), 5.0));
    for (const double scale : {1e300, 1e-300, 0x1p1020, smallest}) {
      CHECK(same(norm_of(Terms{3 * scale, 4 * scale}), 5 * scale));
    }
    CHECK(same(norm_of(Terms{largest, largest}), infinity));
    CHECK(same(norm_of(Terms{largest}), largest));
    CHECK(same(norm_of(Terms{-smallest}), smallest));
    CHECK(same(norm_of(Terms(10000, 1e-320)), 100 * 1e-320));
    CHECK(same(norm_of(Terms(1024, 0x1p1018)), 0x1p1023));
    CHECK(same(norm_of(Terms(4096, 0x1p1018)), infinity));
  });
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    check_norm(units(140 + seed, 1 + 3 * seed));
    check_norm(random_doubles(200 + seed, 1 + seed, -1074, 971));
    check_norm(random_doubles(300 + seed, 50, -1074, -1060));
    check_norm(random_doubles(400 + seed, 50, 960, 971));
  }
}

TEST_CASE("roots half way between two doubles go to the even one, and a bit more decides") {
  const Random random(7);
  for (std::uint64_t i = 0; i < 100; ++i) {
    // (m + 1/2)² = m² + m + 1/4, exactly.
    const double m = static_cast<double>((random.bits(i) >> 12) | std::uint64_t{1} << 52);
    const double even = std::fmod(m, 2.0) == 0.0 ? m : m + 1;
    for (const int scale : {0, 900, -1126}) {
      const double unit = std::ldexp(1.0, scale / 2);
      ExactSum square;
      square.add_product(m * unit, m * unit);
      square.add_product(m * unit, unit);
      square.add_product(unit / 2, unit / 2);
      CHECK(same(square.round_root(), even * unit));
      ExactSum more = square;
      more.add_product(smallest, smallest);
      CHECK(same(more.round_root(), (m + 1) * unit));
      square.add_product(smallest, -smallest);
      CHECK(same(square.round_root(), m * unit));
    }
  }
}

TEST_CASE("roots of small integers are the hardware's") {
  for (int i = 0; i <= 2000; ++i) {
    ExactSum sum;
    sum.add(static_cast<double>(i));
    CHECK(same(sum.round_root(), std::sqrt(static_cast<double>(i))));
  }
}

TEST_CASE("roots of what has none, or is special") {
  const auto root_of = [](const Terms& terms) {
    ExactSum sum;
    sum.add(terms);
    return sum.round_root();
  };
  CHECK(same(root_of({}), 0.0));
  CHECK(same(root_of({-0.0}), -0.0));
  CHECK(same(root_of({2.25}), 1.5));
  CHECK(same(root_of({-smallest}), not_a_number));
  CHECK(same(root_of({-infinity}), not_a_number));
  CHECK(same(root_of({infinity}), infinity));
  CHECK(same(root_of({not_a_number}), not_a_number));
  CHECK(same(root_of({largest}), std::sqrt(largest)));
  CHECK(same(root_of({smallest}), 0x1p-537));
}
