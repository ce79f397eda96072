// Which points a picture shows, and the tiles that it is computed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "escape.hpp"

namespace cairn::mandelbrot {

/// What is looked at.
struct View {
  Point centre;
  double zoom = 1;                 ///< the shorter side of the picture is 3 / zoom
  std::uint32_t iterations = 256;  ///< at most, of a point
};

struct NamedView {
  std::string_view name;
  View view;
};
[[nodiscard]] std::span<const NamedView> named_views() noexcept;
/// nullptr if there is none of that name.
[[nodiscard]] const View* find_view(std::string_view name) noexcept;

/// Pixels of a tile.
struct Tile {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
};

/// A picture of width × height pixels, row 0 on top, cut into tiles: the tasks.
class Raster {
 public:
  static constexpr int most_pixels_a_side = 16384;
  static constexpr std::size_t most_tiles = std::size_t{1} << 24;
  static constexpr std::uint32_t most_iterations = 16'000'000;  // a shade has 32 bits

  /// @param columns  of a tile, like
  /// @param rows     at the right and lower edge there may be fewer
  /// @throws Error{Errc::usage} for what is out of range, with the option's name
  Raster(int width, int height, const View& view, int columns, int rows);

  [[nodiscard]] int width() const noexcept { return width_; }
  [[nodiscard]] int height() const noexcept { return height_; }
  [[nodiscard]] std::size_t pixels() const noexcept {
    return static_cast<std::size_t>(width_) * static_cast<std::size_t>(height_);
  }
  [[nodiscard]] const View& view() const noexcept { return view_; }
  /// The number of a pixel, 0 … pixels() - 1, row by row.
  [[nodiscard]] std::size_t index(int column, int row) const noexcept {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(width_) +
           static_cast<std::size_t>(column);
  }
  /// The middle of a pixel.
  [[nodiscard]] Point point(int column, int row) const noexcept {
    return {view_.centre.x + pixel_ * (column + 0.5 - 0.5 * width_),
            view_.centre.y - pixel_ * (row + 0.5 - 0.5 * height_)};
  }

  [[nodiscard]] std::size_t tiles() const noexcept { return across_ * down_; }
  /// Number 0 … tiles() - 1, row by row.
  [[nodiscard]] Tile tile(std::size_t number) const noexcept;
  [[nodiscard]] std::size_t tile_of(int column, int row) const noexcept {
    return static_cast<std::size_t>(row / rows_) * across_ +
           static_cast<std::size_t>(column / columns_);
  }

 private:
  int width_;
  int height_;
  View view_;
  int columns_;
  int rows_;
  std::size_t across_;  // tiles
  std::size_t down_;
  double pixel_;  // side
};

}  // namespace cairn::mandelbrot
