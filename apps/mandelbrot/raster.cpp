#include "raster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "cairn/core/error.hpp"

namespace cairn::mandelbrot {

namespace {

constexpr std::array<NamedView, 3> views{{
    {"set", {{-0.75, 0}, 1.15, 1000}},
    {"corner", {{-0.813, 0.2035}, 34, 5000}},
    {"valley", {{-0.7453, 0.1127}, 220, 3000}},
}};

void check(bool holds, const std::string& why) {
  if (!holds) throw Error(Errc::usage, why);
}

/// How often `part` fits into `whole`, the last one cut.
std::size_t pieces(int whole, int part) {
  return (static_cast<std::size_t>(whole) + static_cast<std::size_t>(part) - 1) /
         static_cast<std::size_t>(part);
}

}  // namespace

std::span<const NamedView> named_views() noexcept { return views; }

const View* find_view(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(views, name, &NamedView::name);
  return found == views.end() ? nullptr : &found->view;
}

Raster::Raster(int width, int height, const View& view, int columns, int rows)
    : width_(width), height_(height), view_(view), columns_(columns), rows_(rows) {
  for (const auto& [name, side] : {std::pair{"--width", width}, std::pair{"--height", height}})
    check(side >= 1 && side <= most_pixels_a_side,
          fmt::format("{} is 1 to {} pixels, not {}", name, most_pixels_a_side, side));
  check(rows >= 1, fmt::format("--rows is 1 or more, not {}", rows));
  check(columns >= 1, fmt::format("--columns is 1 or more, not {}", columns));
  check(view.iterations >= 1 && view.iterations <= most_iterations,
        fmt::format("--iterations is 1 to {}, not {}", most_iterations, view.iterations));
  check(std::isfinite(view.centre.x) && std::isfinite(view.centre.y),
        "--center is X,Y of finite numbers");
  check(view.zoom >= 1e-3 && view.zoom <= 1e15, "--zoom is 0.001 to 1e15");
  pixel_ = 3 / (view.zoom * std::min(width, height));
  const double largest = std::max({1.0, std::abs(view.centre.x), std::abs(view.centre.y)});
  check(pixel_ > largest * 0x1p-50,
        fmt::format("--zoom {:g} is too much for double precision: pixels would fall together",
                    view.zoom));
  across_ = pieces(width, columns);
  down_ = pieces(height, rows);
  check(tiles() <= most_tiles,
        fmt::format("{} tiles are more than {}: choose larger --rows and --columns", tiles(),
                    most_tiles));
}

Tile Raster::tile(std::size_t number) const noexcept {
  const int left = static_cast<int>(number % across_) * columns_;
  const int top = static_cast<int>(number / across_) * rows_;
  return {left, top, std::min(columns_, width_ - left), std::min(rows_, height_ - top)};
}

}  // namespace cairn::mandelbrot
