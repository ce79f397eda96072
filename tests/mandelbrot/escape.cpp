#include "escape.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <numbers>

#include "cairn/core/random.hpp"
#include "twin.hpp"

using namespace cairn;
using namespace cairn::mandelbrot;

TEST_CASE("points leave when one sees it on paper") {
  CHECK(escape({1, 0}, 100).iterations == 3);  // 1, 2, 5
  CHECK(escape({2, 0}, 100).iterations == 2);  // 2, 6
  CHECK(escape({3, 4}, 100).iterations == 1);  // |3 + 4i| = 5
  CHECK(escape({0, 2}, 100).iterations == 2);  // 2i, -4 + 2i
  CHECK(escape({1, 0}, 3).iterations == 3);    // the last one
  CHECK(escape({1, 0}, 2).iterations == 2);    // not long enough
  CHECK_FALSE(escape({1, 0}, 3).is_inside());
  CHECK(escape({1, 0}, 2).is_inside());
}

TEST_CASE("points of the set stay, as many iterations as there may be") {
  // 0; period 2; i: -1 + i, -i, …; the two ends of the real part.
  for (const Point c : {Point{0, 0}, {-1, 0}, {0, 1}, {-2, 0}, {0.25, 0}}) {
    const Escape stays = escape(c, 10000);
    CHECK(stays.iterations == 10000);
    CHECK(stays.is_inside());
    CHECK(shade_of(stays, c) == 0);
  }
  // The main cardioid, from inside and from outside.
  for (int i = 1; i < 100; ++i) {
    const double angle = 2 * std::numbers::pi * i / 100;
    const Point edge{0.5 * std::cos(angle) - 0.25 * std::cos(2 * angle),
                     0.5 * std::sin(angle) - 0.25 * std::sin(2 * angle)};
    CHECK(escape({0.98 * (edge.x + 0.1) - 0.1, 0.98 * edge.y}, 2000).is_inside());
  }
}

TEST_CASE("random points leave when std::complex says so") {
  const Random random(7);
  std::size_t wrong = 0;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    const Point c{3 * random.uniform(2 * i) - 2.2, 2.4 * random.uniform(2 * i + 1) - 1.2};
    for (const std::uint32_t most : {1U, 7U, 300U})
      wrong += escape(c, most).iterations == test::iterations_of({c.x, c.y}, most) ? 0 : 1;
  }
  CHECK(wrong == 0);
}

TEST_CASE("shades have no steps where iterations have") {
  // Along the real axis, away from the set: iterations fall from 1/4 on, and shades all the way.
  std::uint32_t before = shade_of(escape({0.26, 0}, 1000), {0.26, 0});
  double largest_step = 0;
  for (int i = 1; i <= 5000; ++i) {
    const Point c{0.26 + 0.0005 * i, 0};
    const std::uint32_t shade = shade_of(escape(c, 1000), c);
    CHECK(shade <= before);
    CHECK(shade > 0);
    if (c.x > 0.5) largest_step = std::max(largest_step, (before - shade) / 256.0);
    before = shade;
  }
  CHECK(largest_step < 0.05);
}

TEST_CASE("totals notice a pixel in another's place") {
  Totals totals, swapped, twice;
  totals.add(5, 17), totals.add(6, 18);
  swapped.add(5, 18), swapped.add(6, 17);
  twice.add(5, 17), twice.add(5, 17);
  CHECK(totals.iterations == swapped.iterations);
  CHECK(totals.checksum != swapped.checksum);
  CHECK(twice.checksum != 0);
  CHECK(totals != twice);
  Totals first, second;
  first.add(5, 17), second.add(6, 18);
  second.merge(first);
  CHECK(second == totals);
}
