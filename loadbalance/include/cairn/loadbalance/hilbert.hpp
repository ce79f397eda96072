/// Hilbert's curve: neighbours on it are neighbours in space.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace cairn::loadbalance {

/// Where on Hilbert's curve a cell of a grid of 2^bits cells a side is; bits ≥ 0, dimensions · bits
/// ≤ 64. Consecutive numbers are cells that share a face. Local.
///
/// Source: Skilling, "Programming the Hilbert curve", AIP Conference Proceedings 707 (2004),
/// doi:10.1063/1.1751381.
template <std::size_t dimensions>
[[nodiscard]] constexpr std::uint64_t hilbert_index(std::array<std::uint32_t, dimensions> cell,
                                                    int bits) noexcept {
  static_assert(dimensions >= 1);
  if (bits > 32) bits = 32;  // a coordinate has no more
  const std::uint32_t top = bits > 0 ? std::uint32_t{1} << (bits - 1) : 0;
  // Undo the rotations and reflections of the smaller cubes, the largest first.
  for (std::uint32_t q = top; q > 1; q >>= 1) {
    const std::uint32_t below = q - 1;
    for (auto& axis : cell) {
      if ((axis & q) != 0) {
        cell[0] ^= below;
      } else {
        const std::uint32_t swapped = (cell[0] ^ axis) & below;
        cell[0] ^= swapped;
        axis ^= swapped;
      }
    }
  }
  // Gray's code.
  for (std::size_t i = 1; i < dimensions; ++i) cell[i] ^= cell[i - 1];
  std::uint32_t flips = 0;
  for (std::uint32_t q = top; q > 1; q >>= 1)
    if ((cell[dimensions - 1] & q) != 0) flips ^= q - 1;
  std::uint64_t index = 0;
  for (int bit = bits - 1; bit >= 0; --bit)
    for (const auto axis : cell) index = index << 1 | ((axis ^ flips) >> bit & 1);
  return index;
}

}  // namespace cairn::loadbalance
