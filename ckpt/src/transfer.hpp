/// Moves a rank's block between its memory and the data file, taking or checking digests on the
/// way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "cairn/core/file.hpp"
#include "chunks.hpp"
#include "codec.hpp"
#include "direct_writes.hpp"
#include "record.hpp"
#include "written_pieces.hpp"

namespace cairn::ckpt {

/// A block in this rank's memory.
struct BlockInMemory {
  std::byte* data = nullptr;  ///< the allocation, ghosts included
  std::size_t element_bytes = 8;
  const Block* block = nullptr;
};

/// What the block shares with `box`, inside its allocation.
[[nodiscard]] BoxInArray in_memory(const Block& block, const Box& box);

/// `box`, which lies inside `outer`, seen from there.
[[nodiscard]] Box relative_to(const Box& box, const Box& outer);

/// Starts writing back what stands behind the writer, so that the final sync has less to do. A
/// hint: errors show there.
void start_write_back(const File& file, std::uint64_t offset_bytes, std::uint64_t length_bytes);

/// Copies the block's elements, without ghosts, one behind the other to `to`. Local.
void pack_block(const BlockInMemory& source, std::byte* to);

/// Elements [first, last) of a block or part in box order.
struct PieceRange {
  std::size_t first = 0;
  std::size_t last = 0;
};

/// A block's pieces on their way to the file, taken one at a time. Memory: one piece.
class PieceSource {
 public:
  /// All three outlive it.
  PieceSource(const BlockInMemory& source, std::uint64_t offset_bytes, const PieceSealer& seal);

  [[nodiscard]] std::size_t pieces() const noexcept {
    return piece_count(elements_, source_.element_bytes);
  }
  [[nodiscard]] PieceRange range(std::size_t piece) const noexcept;
  [[nodiscard]] const BoxInArray& in_file() const noexcept { return in_file_; }

  /// The piece as it is to stand in the file, until the next one is taken; its digest goes behind
  /// `crcs`, as write_block() returns it.
  [[nodiscard]] std::span<const std::byte> take(std::size_t piece,
                                                std::vector<std::uint32_t>& crcs);

 private:
  const BlockInMemory& source_;
  std::uint64_t offset_bytes_;
  const PieceSealer& seal_;
  std::size_t elements_;
  BoxInArray in_memory_;
  BoxInArray in_file_;
  std::vector<std::byte> staging_;
};

/// Writes the block to the dataset at `offset_bytes` and returns the CRC-32C of each of its pieces;
/// with a `seal`, of the encrypted piece, and behind each the four words of its tag.
/// `before_piece` is called before each write. With `pieces`, those that the file holds already are
/// not written; with `direct`, a writer of the same file, what fills blocks goes past the page
/// cache. Memory: one piece.
std::vector<std::uint32_t> write_block(File& file, std::uint64_t offset_bytes,
                                       const BlockInMemory& source,
                                       const std::function<void()>& before_piece,
                                       const PieceSealer& seal = {}, BlockPieces* pieces = nullptr,
                                       DirectWrites* direct = nullptr);

/// A part's pieces, read one at a time. Memory: one piece, unless all are read into the caller's.
class PartReader {
 public:
  /// All three outlive it.
  PartReader(const File& file, const FieldRecord& field, const PartRecord& part);

  [[nodiscard]] std::size_t pieces() const noexcept { return part_.piece_crcs.size(); }

  [[nodiscard]] PieceRange range(std::size_t piece) const noexcept;

  /// Where element `index` of the part lies in the file.
  [[nodiscard]] std::uint64_t offset_bytes(std::size_t index) const noexcept;

  /// The bytes of a piece in box order, until the next read; nothing when its digest, or its tag if
  /// the record is unlocked, does not fit.
  /// @param into  as long as the piece; empty for memory of the reader
  /// @throws Error{bad_data} when the file ends before, {input_output} when it cannot be read
  [[nodiscard]] std::optional<std::span<const std::byte>> read(std::size_t piece,
                                                               std::span<std::byte> into = {});

 private:
  const File& file_;
  const FieldRecord& field_;
  const PartRecord& part_;
  std::size_t element_bytes_;
  std::size_t elements_;
  BoxInArray in_file_;
  std::vector<std::byte> staging_;
};

/// A compressed field's chunks, read one at a time. Memory: a chunk, three times.
class ChunkReader {
 public:
  /// Both outlive it.
  ChunkReader(const File& file, const FieldRecord& field);

  [[nodiscard]] const ChunkGrid& grid() const noexcept { return grid_; }

  /// The bytes of a chunk as they stand in the file, decrypted, until the next read; nothing when
  /// the digest, or the tag if the record is unlocked, does not fit.
  /// @throws as PartReader::read()
  [[nodiscard]] std::optional<std::span<std::byte>> read_stored(std::size_t number);

  /// The elements of what read_stored() has given; nothing when it cannot be unpacked.
  [[nodiscard]] std::optional<std::span<const std::byte>> unpack(std::span<const std::byte> stored);

  /// The elements of a chunk, those behind the end included, until the next read; nothing when a
  /// digest does not fit, or when what it fits cannot be unpacked.
  [[nodiscard]] std::optional<std::span<const std::byte>> read(std::size_t number);

 private:
  const File& file_;
  const FieldRecord& field_;
  ChunkGrid grid_;
  Codec codec_;
  std::vector<std::byte> stored_;
  std::vector<std::byte> raw_;
};

/// Reads those pieces or chunks of the field that overlap the block into memory, and checks their
/// digests: before the overlap is copied, or, where a piece stands in memory as in the file, in its
/// place. Ghosts are left alone. Memory: one piece, or three chunks.
/// @throws Error{Errc::bad_data} naming the file and the place when a digest does not fit
void read_block(const File& file, const FieldRecord& field, const BlockInMemory& target);

}  // namespace cairn::ckpt
