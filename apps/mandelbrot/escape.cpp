#include "escape.hpp"

#include <algorithm>
#include <cmath>

namespace cairn::mandelbrot {

Escape escape(const Point& c, std::uint32_t most_iterations) noexcept {
  double x = 0, y = 0, x2 = 0, y2 = 0;
  std::uint32_t iterations = 0;
  while (iterations < most_iterations && x2 + y2 <= 4) {
    y = 2 * x * y + c.y;
    x = x2 - y2 + c.x;
    x2 = x * x;
    y2 = y * y;
    ++iterations;
  }
  return {iterations, {x, y}};
}

std::uint32_t shade_of(const Escape& escape, const Point& c) noexcept {
  if (escape.is_inside()) return 0;
  // The further out, the less the error of taking |z|² for the next |z|.
  constexpr int further = 3;
  Point z = escape.z;
  for (int i = 0; i < further; ++i) z = {z.x * z.x - z.y * z.y + c.x, 2 * z.x * z.y + c.y};
  const double doublings = std::log2(std::log2(std::hypot(z.x, z.y)));
  const double iterations = escape.iterations + further - doublings;
  return static_cast<std::uint32_t>(std::max(1L, std::lround(256 * iterations)));
}

}  // namespace cairn::mandelbrot
