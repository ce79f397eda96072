/// Moves a rank's block between its memory and the data file, taking or checking digests on the
/// way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cairn/core/file.hpp"
#include "record.hpp"

namespace cairn::ckpt {

/// A block in this rank's memory.
struct BlockInMemory {
  std::byte* data = nullptr;  ///< the allocation, ghosts included
  std::size_t element_bytes = 8;
  const Block* block = nullptr;
};

/// Writes the block to the dataset at `offset_bytes` and returns the CRC-32C of each of its pieces.
/// `before_piece` is called before each write. Memory: one piece.
std::vector<std::uint32_t> write_block(File& file, std::uint64_t offset_bytes,
                                       const BlockInMemory& source,
                                       const std::function<void()>& before_piece);

/// Reads those pieces of `part` that overlap the block, checks their digests, and copies the
/// overlap into memory. Ghosts are left alone. Memory: one piece.
/// @throws Error{Errc::bad_data} naming the file and the part when a digest does not fit
void read_overlap(const File& file, const FieldRecord& field, const PartRecord& part,
                  const BlockInMemory& target);

}  // namespace cairn::ckpt
