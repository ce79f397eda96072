#include "field.hpp"

#include <cmath>

#include "mpi_test.hpp"
#include "twin.hpp"

using namespace cairn;
using namespace cairn::heat;

TEST_CASE("norms of a field whose norms are known") {
  constexpr int n = 31;  // h = 1/32
  Field field(cairn::test::world(), n);
  heat::test::fill(field, [](std::size_t, std::size_t) { return -1.0; });
  auto all = norms(field);
  CHECK(all.l2 == 31.0 / 32.0);
  CHECK(all.sum == -961.0);
  CHECK(all.minimum == -1.0);
  CHECK(all.maximum == -1.0);

  // Huge terms that cancel: only an exact sum sees the small one.
  heat::test::fill(field, [](std::size_t i, std::size_t j) {
    if (i == 0 && j == 0) return 1e100;
    if (i == 30 && j == 30) return -1e100;
    return i == 15 && j == 15 ? 0.125 : 0.0;
  });
  all = norms(field);
  CHECK(all.sum == 0.125);
  CHECK(all.minimum == -1e100);
  CHECK(all.maximum == 1e100);
  CHECK(all.l2 == doctest::Approx(std::sqrt(2.0) * 1e100 / 32.0).epsilon(1e-15));
}

TEST_CASE("the distance to the closed form") {
  constexpr int n = 31;
  Field field(cairn::test::world(), n);
  const auto sine = sine_of_axis(n);
  heat::test::fill(field, [&](std::size_t i, std::size_t j) { return sine[i] * sine[j]; });
  CHECK(distance_to_sine(field, 0.0).l2 == 0.0);
  CHECK(distance_to_sine(field, 0.0).maximum == 0.0);
  // Of sin sin to half of it: the maximum is 1/2 in the middle, and h² Σ sin² sin² is 1/4 exactly.
  const double half_life = std::log(2.0) / (2.0 * std::acos(-1.0) * std::acos(-1.0));
  CHECK(distance_to_sine(field, half_life).maximum == doctest::Approx(0.5).epsilon(1e-12));
  CHECK(distance_to_sine(field, half_life).l2 == doctest::Approx(0.25).epsilon(1e-12));
}
