/// Rows of numbers as a picture.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace cairn::program {

/// The longest side of a picture, in pixels.
inline constexpr std::size_t most_pixels_a_side = 1024;

/// The colour of `value` in [0, 1]: black through purple and orange to pale yellow, growing evenly
/// in lightness; values outside have the colour of the nearest end, and what is not a number is
/// grey.
///
/// Source: "inferno" of matplotlib by N. Smith and S. van der Walt, 2015 (CC0), nine of its colours
/// with straight lines between them.
[[nodiscard]] std::array<std::uint8_t, 3> colour(double value) noexcept;

/// Pixels as the bytes of a PNG file. Local.
/// @param width  pixels a row, at least one
/// @param rgb    shape [rows, width, 3], the first row on top
/// @throws Error{Errc::internal} when libpng refuses
[[nodiscard]] std::string png_of(std::size_t width, std::span<const std::uint8_t> rgb);

/// Collects the rows of a matrix into rows of pixels: a pixel a point, or the mean of a square of
/// points when a side has more than most_pixels_a_side. Local. Memory: the pixels and one row.
class Canvas {
 public:
  /// Colours run from `minimum` to `maximum`.
  Canvas(std::size_t rows, std::size_t columns, double minimum, double maximum);

  /// Adds the next row, from the top. @param row  shape [columns]
  void add_row(std::span<const double> row);

  /// The bytes of a PNG file, once all rows are there.
  /// @throws Error{Errc::internal} when libpng refuses
  [[nodiscard]] std::string png() const;

 private:
  void finish_row();

  std::size_t rows_;
  std::size_t columns_;
  std::size_t square_;  // points along a pixel's side
  std::size_t width_;   // pixels
  std::size_t height_;
  double minimum_;
  double scale_;
  std::size_t added_ = 0;     // rows so far
  std::vector<double> sums_;  // of the row of pixels that is being filled
  std::size_t pending_ = 0;   // rows in sums_
  std::vector<std::uint8_t> rgb_;
};

}  // namespace cairn::program
