// When a point leaves.
#pragma once

#include <cstdint>

namespace cairn::mandelbrot {

/// A point of the complex plane.
struct Point {
  double x = 0;
  double y = 0;
};

struct Escape {
  std::uint32_t iterations = 0;  ///< of z ← z² + c, from 0, until |z| > 2; at most as many as asked
  Point z;                       ///< after them

  /// Whether it has not left in so many iterations: then it counts as a point of the set.
  [[nodiscard]] bool is_inside() const noexcept { return z.x * z.x + z.y * z.y <= 4; }
};

/// Local. The bits are the same everywhere: additions and multiplications in a fixed order.
/// @par Cost  2 to 3 ns an iteration
[[nodiscard]] Escape escape(const Point& c, std::uint32_t most_iterations) noexcept;

/// The number of iterations without steps, in units of 1/256: what a colour follows. 0 is inside,
/// and only inside.
/// @par Determinism  as exact as the logarithm of the C library
///
/// Source: the potential of Douady and Hubbard, log|z| / 2^iterations, which is continuous.
[[nodiscard]] std::uint32_t shade_of(const Escape& escape, const Point& c) noexcept;

}  // namespace cairn::mandelbrot
