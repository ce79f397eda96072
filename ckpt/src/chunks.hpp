/// The chunks of a compressed field: boxes whose elements follow each other in the global array.
#pragma once

#include <cstddef>

#include "cairn/ckpt/box.hpp"
#include "geometry.hpp"

namespace cairn::ckpt {

/// A chunk has fewer bytes: at 1 MiB the datasets of a file begin to be aligned, and so would they.
inline constexpr std::size_t chunk_limit_bytes = std::size_t{1} << 20;

/// Chunks of one index along the first axes, some along one axis, and everything along the rest:
/// slabs of rows, or pieces of a row where rows are long.
///
///     5 × 4, chunk 2 × 4           4 × 6, chunk 1 × 4
///       0 0 0 0                      0 0 0 0 1 1
///       0 0 0 0                      2 2 2 2 3 3
///       1 1 1 1                      4 4 4 4 5 5
///       1 1 1 1                      6 6 6 6 7 7
///       2 2 2 2
///     (2 2 2 2: HDF5's chunks are whole; behind the last element stand zeros)
class ChunkGrid {
 public:
  /// Of an array without elements there are no chunks.
  ChunkGrid(Shape global, Shape chunk);

  /// The grid for such an array; it depends on nothing else.
  [[nodiscard]] static ChunkGrid of(const Shape& global, std::size_t element_bytes);

  /// Whether `chunk` has the form of a chunk of such an array.
  [[nodiscard]] static bool is_valid(const Shape& global, const Shape& chunk);

  [[nodiscard]] const Shape& global() const noexcept { return global_; }
  [[nodiscard]] const Shape& chunk() const noexcept { return chunk_; }
  [[nodiscard]] std::size_t chunks() const noexcept { return chunks_; }
  /// Elements of a chunk, those behind the end included.
  [[nodiscard]] std::size_t chunk_elements() const noexcept { return chunk_elements_; }

  /// The box of a chunk inside the array. Its elements are the first ones of the chunk.
  [[nodiscard]] Box box(std::size_t number) const;

  /// The chunk that holds an element, given by its index in row-major order.
  [[nodiscard]] std::size_t chunk_of(std::size_t element) const noexcept {
    return element / line_ * chunks_per_line_ + element % line_ / chunk_elements_;
  }

 private:
  Shape global_;
  Shape chunk_;
  std::size_t axis_ = 0;  ///< along which the array is cut
  std::size_t chunk_elements_ = 1;
  std::size_t line_ = 1;  ///< elements of that axis and all below it
  std::size_t chunks_per_line_ = 0;
  std::size_t chunks_ = 0;
};

}  // namespace cairn::ckpt
