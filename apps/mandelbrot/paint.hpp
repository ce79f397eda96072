// A tile's work.
#pragma once

#include <cstdint>
#include <span>

#include "raster.hpp"

namespace cairn::mandelbrot {

/// Of all pixels, or of a part of them.
struct Totals {
  std::uint64_t pixels = 0;
  std::uint64_t iterations = 0;
  /// A number of each pixel and its iterations, added up modulo 2^64: a pixel that is lost, there
  /// twice, or in another's place changes it.
  std::uint64_t checksum = 0;

  void add(std::uint64_t pixel, std::uint32_t iterations_of_it) noexcept;
  /// Exact, so that the result does not depend on how tiles are dealt out.
  void merge(const Totals& other) noexcept;

  friend bool operator==(const Totals&, const Totals&) = default;
};

/// Computes the pixels of a tile. Local.
/// @param shades  of the whole picture, shape [height, width], of which those of the tile are
///                written; or empty when there is no picture to be made
void paint(const Raster& raster, const Tile& tile, Totals& totals, std::span<std::uint32_t> shades);

/// What a tile may cost, told from the pixel in its middle: iterations. Local, the same everywhere.
[[nodiscard]] double weight_of(const Raster& raster, const Tile& tile);

}  // namespace cairn::mandelbrot
