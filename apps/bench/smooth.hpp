/// A smooth field, as a solver of differential equations has it, for what compresses.
#pragma once

#include <cmath>
#include <cstddef>

namespace cairn::bench {

/// Element `i` of a wave on a grid with rows of 2048, its values in [0, 1].
[[nodiscard]] inline double smooth(std::size_t i) {
  constexpr double pi = 3.14159265358979323846;
  constexpr std::size_t width = 2048;
  const std::size_t number = i / width;
  const auto row = static_cast<double>(number);
  const auto column = static_cast<double>(i % width);
  return std::abs(std::sin(pi * row / 4096) * std::sin(pi * column / 2048));
}

}  // namespace cairn::bench
