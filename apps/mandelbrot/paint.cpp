#include "paint.hpp"

#include "cairn/core/random.hpp"

namespace cairn::mandelbrot {

void Totals::add(std::uint64_t pixel, std::uint32_t iterations_of_it) noexcept {
  ++pixels;
  iterations += iterations_of_it;
  checksum += Random(iterations_of_it).bits(pixel);
}

void Totals::merge(const Totals& other) noexcept {
  pixels += other.pixels;
  iterations += other.iterations;
  checksum += other.checksum;
}

void paint(const Raster& raster, const Tile& tile, Totals& totals,
           std::span<std::uint32_t> shades) {
  for (int row = tile.top; row < tile.top + tile.height; ++row) {
    for (int column = tile.left; column < tile.left + tile.width; ++column) {
      const Point c = raster.point(column, row);
      const Escape left = escape(c, raster.view().iterations);
      const std::size_t pixel = raster.index(column, row);
      totals.add(pixel, left.iterations);
      if (!shades.empty()) shades[pixel] = shade_of(left, c);
    }
  }
}

double weight_of(const Raster& raster, const Tile& tile) {
  // Of a pixel beside its iterations, in iterations.
  constexpr double besides = 10;
  const Point middle = raster.point(tile.left + tile.width / 2, tile.top + tile.height / 2);
  const double pixels = static_cast<double>(tile.width) * tile.height;
  return pixels * (besides + escape(middle, raster.view().iterations).iterations);
}

}  // namespace cairn::mandelbrot
