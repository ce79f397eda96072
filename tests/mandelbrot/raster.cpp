#include "raster.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "cairn/core/error.hpp"
#include "twin.hpp"

using namespace cairn;
using namespace cairn::mandelbrot;

namespace {

std::string refusal(int width, int height, const View& view, int columns, int rows) {
  try {
    const Raster raster(width, height, view, columns, rows);
  } catch (const Error& error) {
    CHECK(error.code() == Errc::usage);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("tiles cover each pixel once, whatever their size") {
  for (const auto& [columns, rows] : {std::pair{1, 1}, {8, 8}, {7, 3}, {100, 1}, {1000, 1000}}) {
    const Raster raster(50, 31, {}, columns, rows);
    std::vector<int> seen(raster.pixels());
    for (std::size_t number = 0; number < raster.tiles(); ++number) {
      const Tile tile = raster.tile(number);
      CHECK((tile.width > 0 && tile.height > 0));
      for (int row = tile.top; row < tile.top + tile.height; ++row)
        for (int column = tile.left; column < tile.left + tile.width; ++column) {
          ++seen[raster.index(column, row)];
          CHECK(raster.tile_of(column, row) == number);
        }
    }
    CHECK(seen == std::vector<int>(raster.pixels(), 1));
  }
}

TEST_CASE("tiles together are the picture of std::complex") {
  for (const NamedView& named : named_views()) {
    View view = named.view;
    view.iterations = 200;
    const Raster raster(40, 30, view, 7, 4);
    Totals totals;
    for (std::size_t tile = 0; tile < raster.tiles(); ++tile)
      paint(raster, raster.tile(tile), totals, {});
    CHECK(totals == test::totals_of(40, 30, view));
  }
}

TEST_CASE("the corner is heavy: one part of the picture has most of the work") {
  View view = *find_view("corner");
  const Raster whole(64, 48, view, 64, 24);
  Totals upper, lower;
  paint(whole, whole.tile(0), upper, {});
  paint(whole, whole.tile(1), lower, {});
  CHECK(lower.iterations > 3 * upper.iterations);
}

TEST_CASE("pixels are where the view says") {
  const Raster raster(4, 2, {{1, 10}, 1.5, 5}, 1, 1);
  // Two pixels are the shorter side, of length 2.
  CHECK(raster.point(0, 0).x == -0.5);
  CHECK(raster.point(3, 0).x == 2.5);
  CHECK(raster.point(0, 0).y == 10.5);
  CHECK(raster.point(0, 1).y == 9.5);
}

TEST_CASE("a tile weighs what its middle costs") {
  const Raster raster(3, 3, {{0, 0}, 1, 500}, 3, 3);
  CHECK(weight_of(raster, raster.tile(0)) == 9 * 510);
}

TEST_CASE("what is out of range is refused, with the option's name") {
  const View view;
  CHECK(refusal(8, 8, view, 8, 8).empty());
  for (const int bad : {0, -1, 16385}) {
    CHECK(refusal(bad, 8, view, 8, 8).find("--width") == 0);
    CHECK(refusal(8, bad, view, 8, 8).find("--height") == 0);
  }
  CHECK(refusal(8, 8, view, 0, 8).find("--columns") == 0);
  CHECK(refusal(8, 8, view, 8, -3).find("--rows") == 0);
  CHECK(refusal(16384, 16384, view, 1, 1).find("--rows") != std::string::npos);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double bad : {0.0, -1.0, 1e16, nan})
    CHECK(refusal(8, 8, {{0, 0}, bad, 5}, 8, 8).find("--zoom") == 0);
  CHECK(refusal(1000, 1000, {{-0.75, 0}, 1e14, 5}, 8, 8).find("double precision") !=
        std::string::npos);
  CHECK(refusal(8, 8, {{nan, 0}, 1, 5}, 8, 8).find("--center") == 0);
  for (const std::uint32_t bad : {0U, 16'000'001U})
    CHECK(refusal(8, 8, {{0, 0}, 1, bad}, 8, 8).find("--iterations") == 0);
  CHECK(find_view("nowhere") == nullptr);
}
