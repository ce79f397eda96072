/// How a global row-major array is cut into the ranks' blocks.
#pragma once

#include <cstddef>
#include <vector>

namespace cairn::ckpt {

/// The extents of an array, or a position in it: one entry per axis, axis 0 varies slowest.
using Shape = std::vector<std::size_t>;

/// One rank's block of a global array, and how it lies in this rank's memory.
///
///     global 6 × 8, offset (2, 4), count (3, 4), ghosts 1
///
///       . . . . . . . .           memory: (3 + 2) × (4 + 2) elements, row-major
///       . . . . . . . .             g g g g g g
///       . . . . x x x x             g x x x x g
///       . . . . x x x x             g x x x x g
///       . . . . x x x x             g x x x x g
///       . . . . . . . .             g g g g g g
struct Block {
  Shape global;            ///< extents of the whole array
  Shape offset;            ///< where this rank's block begins in it
  Shape count;             ///< extents of this rank's block; zero is allowed
  std::size_t ghosts = 0;  ///< layers around the block in memory, on both sides of every axis
};

/// Rows of a global array that a rank holds, in the order of its memory. Every row is on exactly
/// one rank.
struct Rows {
  std::size_t global = 0;              ///< rows of the whole array
  std::vector<std::size_t> mine = {};  ///< numbers of this rank's rows, in any order; may be empty
  std::size_t width = 1;               ///< numbers in a row
};

/// The number of elements of an array of these extents; 1 for no axis at all.
[[nodiscard]] std::size_t volume(const Shape& extents) noexcept;

/// The number of elements that the block takes in memory, ghosts included.
[[nodiscard]] std::size_t memory_volume(const Block& block) noexcept;

}  // namespace cairn::ckpt
