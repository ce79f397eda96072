/// From the ranks' blocks of a field to compressed chunks, each on the one rank that writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/collectives/parts.hpp"
#include "cairn/core/error.hpp"
#include "chunks.hpp"
#include "codec.hpp"
#include "transfer.hpp"

namespace cairn::ckpt {

/// The chunks that a rank writes: consecutive ones, about equally many on each. So the file does
/// not depend on how the ranks cut the field.
[[nodiscard]] AxisRange chunks_of_rank(const ChunkGrid& grid, int ranks, int rank);

/// Gets the elements of this rank's chunks from the ranks that hold them, a few chunks at a time.
class ChunkExchange {
 public:
  /// Collective; every rank learns every rank's block. `source` outlives it.
  ChunkExchange(const Communicator& comm, const BlockInMemory& source, ChunkGrid grid);

  /// How often every rank calls fetch(); equal on all ranks.
  [[nodiscard]] std::size_t batches() const noexcept { return batches_; }

  /// The elements of this rank's next chunks, in their order, until the next call; those behind the
  /// end of the array are zeros. Collective; without communication where every rank has its own.
  /// Memory: a batch of chunks, and what other ranks get of this one's elements. A rank that has
  /// not got it goes on with the others, without chunks, and says so in problem().
  [[nodiscard]] const std::vector<std::span<const std::byte>>& fetch();

  /// The first failure of this rank, not agreed.
  [[nodiscard]] const std::optional<Error>& problem() const noexcept { return problem_; }

 private:
  [[nodiscard]] AxisRange batch_of(int rank, std::size_t batch) const;
  [[nodiscard]] bool sends(std::size_t batch) const;
  void collect_own(AxisRange mine);
  std::vector<std::size_t> collect_for_others(std::size_t batch);
  void send_and_receive(std::size_t batch);
  template <typename Work>
  void attempt(Work&& work);

  const Communicator& comm_;
  const BlockInMemory& source_;
  ChunkGrid grid_;
  Box mine_;
  std::vector<Box> boxes_;  ///< of every rank
  std::size_t chunk_bytes_;
  std::size_t batches_ = 0;
  std::vector<int> is_exchanged_;  ///< per batch: some rank sends something
  std::size_t next_ = 0;
  std::optional<Error> problem_;
  std::vector<std::byte> leaving_;
  std::vector<std::byte> raw_;
  std::vector<std::span<const std::byte>> chunks_;
};

/// This rank's chunks of a field on their way to the file.
struct PackedChunks {
  std::vector<std::byte> bytes;  ///< one behind the other
  std::vector<std::uint32_t> lengths_bytes;

  /// Keeps the memory.
  void clear() noexcept {
    bytes.clear();
    lengths_bytes.clear();
  }
};

/// Adds a compressed chunk.
void pack_chunk(Codec& codec, std::span<const std::byte> raw, PackedChunks& packed);

}  // namespace cairn::ckpt
