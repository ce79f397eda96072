/// What this rank has written into the data files of epochs, so that an epoch which is written over
/// one of them leaves alone what is there already.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "cairn/ckpt/block.hpp"

namespace cairn::ckpt {

/// Tells a piece from what it might have been changed to: 96 bits of two CRCs. Against accidents of
/// changing data, not against somebody who chooses them.
struct PieceHash {
  std::uint32_t crc32c = 0;
  std::uint64_t crc64 = 0;
  bool operator==(const PieceHash&) const = default;
};

/// One block, as write_block() finds and leaves it in its file.
struct BlockPieces {
  std::span<const PieceHash> before = {};  ///< what the file holds there; empty when nobody knows
  std::vector<PieceHash> now = {};         ///< filled by write_block()
  std::uint64_t unchanged_bytes = 0;       ///< that write_block() did not write
};

/// All functions are local.
class WrittenPieces {
 public:
  /// A block that was written, and where.
  struct Entry {
    std::uint64_t offset_bytes = 0;  ///< of the dataset in the file
    Shape global;
    Shape offset;
    Shape count;
    std::vector<PieceHash> pieces;
  };

  /// The pieces of field number `field` in the file of `epoch`, if the same block was written to
  /// the same place; else nothing.
  [[nodiscard]] std::span<const PieceHash> find(std::uint64_t epoch, std::size_t field,
                                                std::uint64_t offset_bytes,
                                                const Block& block) const;

  /// An epoch is committed with these blocks. Those of the `keep` newest epochs are kept.
  void note(std::uint64_t epoch, std::vector<Entry> fields, std::size_t keep);

 private:
  std::map<std::uint64_t, std::vector<Entry>> epochs_;
};

}  // namespace cairn::ckpt
