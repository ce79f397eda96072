// The set as the textbook has it, with std::complex: nothing in common with the program but the
// order of the roundings.
#pragma once

#include <complex>
#include <cstdint>

#include "paint.hpp"

namespace cairn::test {

inline std::uint32_t iterations_of(std::complex<double> c, std::uint32_t most) {
  std::complex<double> z = 0;
  for (std::uint32_t n = 0; n < most; ++n) {
    if (std::norm(z) > 4) return n;
    z = {z.real() * z.real() - z.imag() * z.imag() + c.real(), 2 * z.real() * z.imag() + c.imag()};
  }
  return most;
}

/// Row by row, without tiles.
inline mandelbrot::Totals totals_of(int width, int height, const mandelbrot::View& view) {
  const double pixel = 3 / (view.zoom * (width < height ? width : height));
  mandelbrot::Totals totals;
  for (int row = 0; row < height; ++row)
    for (int column = 0; column < width; ++column)
      totals.add(static_cast<std::uint64_t>(row) * width + column,
                 iterations_of({view.centre.x + pixel * (column + 0.5 - 0.5 * width),
                                view.centre.y - pixel * (row + 0.5 - 0.5 * height)},
                               view.iterations));
  return totals;
}

}  // namespace cairn::test
