/// Collectives of the ranks of one node, through memory that they share.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "patience.hpp"
#include "reduction_kernels.hpp"
#include "shared_memory.hpp"

namespace cairn::detail {

/// The ranks of one node and their shared memory.
///
///     rank r:  flags  written · combined · read · entered · swapped   a line each, of r alone
///              slots  [ step 0 ][ step 1 ] … [ step s-1 ]             step k uses slot k mod s
///              few short ones for short messages, many long ones for long messages
///     of two ranks together:  two boxes, which they swap
///
/// A message is cut into chunks, one a step, and steps are numbered through over all calls, so that
/// a flag is a count that only grows and nothing is ever reset. A rank that writes into its slot
/// first waits until all others have read what stood there s steps before; release stores and
/// acquire loads of the flags order the bytes. Chunks flow: while a rank reads one, its peers write
/// the next ones.
///
/// All calls are collective over the node and made in the same order on all its ranks. Reductions
/// are bracketed ((x0 ∘ x1) ∘ x2) ∘ … by rank in the node, whatever the size.
class NodeGroup {
 public:
  /// Collective over `node`, which must outlive this.
  /// @return nothing, on every rank, when memory cannot be shared
  [[nodiscard]] static std::optional<NodeGroup> make(const Communicator& node, Patience patience);

  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] int size() const noexcept { return size_; }

  /// How this rank writes into shared memory. Of no influence on results; which is faster depends
  /// on whether the cores share a cache.
  enum class Stores : std::uint8_t { cached, streaming };
  void set_stores(Stores stores) noexcept { stores_ = stores; }

  /// Whether waiting ranks leave their core at once.
  [[nodiscard]] bool oversubscribed() const noexcept { return patience_.oversubscribed(); }

  /// After so many bytes of long messages a rank writes again where it has begun.
  [[nodiscard]] std::size_t ring_bytes() const noexcept { return long_ring_.bytes(); }

  /// Returns when every rank has called it. One round for few ranks, ⌈log2 p⌉ for more
  /// (dissemination).
  void barrier();

  /// Copies `bytes` bytes of rank `root` to every rank.
  void bcast(std::byte* data, std::size_t bytes, int root) { spread(data, bytes, root, everyone); }

  /// Copies `bytes` bytes from rank `from` to rank `to`; the others pass by.
  void move(std::byte* data, std::size_t bytes, int from, int to) { spread(data, bytes, from, to); }

  /// Reduces n elements into `out` of every rank; `in` may be `out`.
  void all_reduce(const std::byte* in, std::byte* out, std::size_t n, const Reduction& reduction) {
    if (swaps(n * reduction.element_bytes)) {
      reduce_swapping(in, out, n, reduction);
    } else {
      all_reduce_by_slots(in, out, n, reduction);
    }
  }

  /// The same, always through the slots, which all ranks write and read.
  void all_reduce_by_slots(const std::byte* in, std::byte* out, std::size_t n,
                           const Reduction& reduction) {
    reduce_to(in, out, n, reduction, everyone);
  }

  /// Reduces n elements into `out` of rank `root`, which counts there alone; `in` may be `out`.
  void reduce(const std::byte* in, std::byte* out, std::size_t n, const Reduction& reduction,
              int root) {
    reduce_to(in, out, n, reduction, root);
  }

  /// Collects the `bytes` bytes of rank r at out + r·bytes on every rank.
  void all_gather(const std::byte* in, std::byte* out, std::size_t bytes) {
    gather_to(in, out, bytes, everyone);
  }

  /// The same on rank `root` alone.
  void gather(const std::byte* in, std::byte* out, std::size_t bytes, int root) {
    gather_to(in, out, bytes, root);
  }

  /// Reduces n elements of shared vectors in place on every rank, without copies in and out.
  /// @param vectors  shape [p]: where each rank's vector is mapped here
  void all_reduce_shared(std::span<std::byte* const> vectors, std::size_t n,
                         const Reduction& reduction) {
    reduce_shared(vectors, n, reduction, vectors);
  }

  /// Reduces n elements of shared vectors into that of rank 0.
  void reduce_shared(std::span<std::byte* const> vectors, std::size_t n,
                     const Reduction& reduction) {
    reduce_shared(vectors, n, reduction, vectors.first(1));
  }

 private:
  static constexpr int everyone = -1;
  enum Flag : std::size_t { written, combined, read, entered, swapped, flag_count };

  /// What a step works on: elements, or bytes, [first, first + count).
  struct Chunk {
    std::size_t first;
    std::size_t count;
  };
  /// Slots that follow each other, rank by rank.
  struct Ring {
    std::size_t begin;    // in the shared memory
    std::uint64_t slots;  // of a rank
    std::size_t slot_bytes;
    [[nodiscard]] std::size_t bytes() const noexcept { return slots * slot_bytes; }  // of a rank
  };
  /// Elements [first, last) of a chunk.
  struct Part {
    std::size_t first;
    std::size_t last;
  };

  NodeGroup(const Communicator& node, Patience patience, std::uint64_t slots, SharedMemory memory);

  void map_pages() const noexcept;
  [[nodiscard]] static std::size_t flag_bytes(std::size_t ranks) noexcept;
  void begin(std::size_t bytes) noexcept;
  [[nodiscard]] std::uint64_t& flag(int rank, Flag which) const noexcept;
  [[nodiscard]] std::byte* slot(int rank, std::uint64_t step) const noexcept;
  void publish(Flag which, std::uint64_t steps) noexcept;
  [[nodiscard]] bool reached(int rank, Flag which, std::uint64_t steps) noexcept;
  [[nodiscard]] bool all_reached(Flag which, std::uint64_t steps) noexcept;
  [[nodiscard]] bool slot_is_free(std::uint64_t step) noexcept;

  void spread(std::byte* data, std::size_t bytes, int from, int to);
  void gather_to(const std::byte* in, std::byte* out, std::size_t bytes, int to);
  void reduce_to(const std::byte* in, std::byte* out, std::size_t n, const Reduction& reduction,
                 int to);
  void reduce_whole(const std::byte* in, std::byte* out, std::size_t n, const Reduction& reduction,
                    int to);
  void reduce_swapping(const std::byte* in, std::byte* out, std::size_t n,
                       const Reduction& reduction);
  void reduce_shared(std::span<std::byte* const> vectors, std::size_t n, const Reduction& reduction,
                     std::span<std::byte* const> results);
  void reduce_parts(const std::byte* in, std::byte* out, std::size_t n, const Reduction& reduction,
                    int to);

  [[nodiscard]] std::size_t ahead() const noexcept;
  [[nodiscard]] bool swaps(std::size_t bytes) const noexcept;
  [[nodiscard]] std::byte* box(int rank, std::uint64_t step) const noexcept;
  void write(std::byte* to, const std::byte* from, std::size_t bytes) const noexcept;
  void take(std::byte* to, const std::byte* from, std::size_t bytes,
            std::size_t of_message) const noexcept;
  [[nodiscard]] Part part_of(int rank, std::size_t n, std::size_t element_bytes) const noexcept;
  void copy_in(const std::byte* in, const Chunk& chunk, std::size_t element_bytes,
               std::uint64_t step);
  void combine_whole(const std::byte* in, std::byte* out, std::size_t n, const Reduction& reduction,
                     std::uint64_t step) const;
  void combine(const std::byte* in, std::byte* out, const Chunk& chunk, const Reduction& reduction,
               std::uint64_t step);
  template <typename Values, typename Store>
  void fold(const Reduction& reduction, const Part& part, Values&& values, Store&& store) const;
  void copy_out(std::byte* out, const Chunk& chunk, std::size_t element_bytes, std::uint64_t step);

  Patience patience_;
  SharedMemory memory_;
  int rank_;
  int size_;
  Ring short_ring_;  // for messages that fit into one slot
  Ring long_ring_;
  Ring ring_;          // of the call under way
  std::size_t boxes_;  // where they begin in the shared memory
  Stores stores_ = Stores::cached;
  std::uint64_t step_ = 0;            // of the next chunk
  std::uint64_t barriers_ = 0;        // rounds of barriers so far
  std::uint64_t swaps_ = 0;           // of boxes so far
  std::vector<std::uint64_t> known_;  // shape [p][flag_count]: the last value seen of each flag
};

}  // namespace cairn::detail
