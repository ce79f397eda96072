#include "node_group.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <utility>

#include "cairn/core/mpi_error.hpp"
#include "copy_bytes.hpp"

namespace cairn::detail {

namespace {

constexpr std::size_t page_bytes = 4096;
constexpr std::size_t line_bytes = 128;  // two lines of 64 B, which x86 fetches together
constexpr std::size_t slot_bytes = std::size_t{32} << 10;
constexpr std::size_t fewest_slots = 16;
constexpr std::size_t most_slots = 256;
/// Of all ranks of a node together, as long as these are no fewer than `fewest_slots` each.
constexpr std::size_t most_slot_bytes_of_node = std::size_t{256} << 20;
/// Messages up to a short slot's size take turns in these few, which are soon used again.
constexpr std::size_t short_slot_bytes = std::size_t{8} << 10;
constexpr std::size_t short_slots = 8;
constexpr std::size_t block_bytes = std::size_t{8} << 10;  // is still in the L1 cache when copied
/// So few ranks look at each other's flags directly in a barrier.
constexpr int most_flat_ranks = 4;
constexpr std::size_t least_streamed_bytes = 1024;
/// Up to here every rank reduces everything: one wait for the others instead of two.
constexpr std::size_t small_bytes = 2048;

using AtomicFlag = std::atomic_ref<std::uint64_t>;
static_assert(AtomicFlag::is_always_lock_free, "flags between processes must be lock-free");

constexpr std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

constexpr std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

/// Bytes of a chunk for a message of `bytes`: four or more, so that they flow, but none so short
/// that the waits outweigh the copies.
std::size_t chunk_bytes(std::size_t bytes, std::size_t smallest = slot_bytes) {
  return std::clamp(round_up(bytes / 4, smallest), smallest, slot_bytes);
}

std::size_t bytes_of_level_2_cache() {
  constexpr std::size_t unknown = std::size_t{1} << 20;
#if defined(_SC_LEVEL2_CACHE_SIZE)
  const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (bytes > 0) return static_cast<std::size_t>(bytes);
#endif
  return unknown;
}

/// Slots of a rank. A line that still stands in a reader's cache when it is written again has to be
/// called back from there, which takes longer than to find it in the cache that the cores share; so
/// a ring is twice what a core's own cache holds.
std::size_t slots_for(std::size_t ranks) {
  if (ranks == 1) return fewest_slots;  // nobody reads
  const std::size_t wanted = 2 * bytes_of_level_2_cache() / slot_bytes;
  const std::size_t share = most_slot_bytes_of_node / ranks / slot_bytes;
  return std::clamp(std::min(wanted, share), fewest_slots, most_slots);
}

}  // namespace

std::optional<NodeGroup> NodeGroup::make(const Communicator& node, Patience patience) {
  const auto ranks = static_cast<std::size_t>(node.size());
  std::uint64_t slots = slots_for(ranks);
  check_mpi(MPI_Bcast(&slots, 1, MPI_UINT64_T, 0, node.native()), "MPI_Bcast");
  const std::size_t each = short_slots * short_slot_bytes + slots * slot_bytes;
  auto memory = SharedMemory::allocate(node, flag_bytes(ranks) + ranks * each);
  if (!memory) return std::nullopt;
  NodeGroup group(node, patience, slots, *std::move(memory));
  check_mpi(MPI_Barrier(node.native()), "MPI_Barrier");  // each rank has placed its pages
  group.map_pages();
  return group;
}

NodeGroup::NodeGroup(const Communicator& node, Patience patience, std::uint64_t slots,
                     SharedMemory memory)
    : patience_(patience),
      memory_(std::move(memory)),
      rank_(node.rank()),
      size_(node.size()),
      short_ring_{flag_bytes(static_cast<std::size_t>(size_)), short_slots, short_slot_bytes},
      long_ring_{short_ring_.begin + static_cast<std::size_t>(size_) * short_ring_.bytes(), slots,
                 slot_bytes},
      known_(static_cast<std::size_t>(size_) * flag_count, 0) {
  // The first touch places the pages near this rank; nobody else writes there.
  for (const auto& ring : {short_ring_, long_ring_}) {
    ring_ = ring;
    std::memset(slot(rank_, 0), 0, ring.bytes());
  }
}

/// Looks at every page of the slots, or the first call that comes to it would pay for that.
void NodeGroup::map_pages() const noexcept {
  const auto bytes = memory_.bytes();
  for (std::size_t i = short_ring_.begin; i < bytes.size(); i += page_bytes)
    (void)std::atomic_ref(bytes[i]).load(std::memory_order_relaxed);
}

std::size_t NodeGroup::flag_bytes(std::size_t ranks) noexcept {
  return round_up(ranks * flag_count * line_bytes, page_bytes);
}

std::uint64_t& NodeGroup::flag(int rank, Flag which) const noexcept {
  const std::size_t line = static_cast<std::size_t>(rank) * flag_count + which;
  return *reinterpret_cast<std::uint64_t*>(memory_.bytes().data() + line * line_bytes);
}

std::byte* NodeGroup::slot(int rank, std::uint64_t step) const noexcept {
  const std::size_t index = static_cast<std::size_t>(rank) * ring_.slots + step % ring_.slots;
  return memory_.bytes().data() + ring_.begin + index * ring_.slot_bytes;
}

/// Tells the others that this rank has done `which` in all steps below `steps`.
void NodeGroup::publish(Flag which, std::uint64_t steps) noexcept {
  AtomicFlag(flag(rank_, which)).store(steps, std::memory_order_release);
}

/// Whether `rank` has done `which` in all steps below `steps`. Looks into its memory only when that
/// is not known yet.
bool NodeGroup::reached(int rank, Flag which, std::uint64_t steps) noexcept {
  auto& known = known_[static_cast<std::size_t>(rank) * flag_count + which];
  if (known >= steps) return true;
  known = AtomicFlag(flag(rank, which)).load(std::memory_order_acquire);
  return known >= steps;
}

bool NodeGroup::all_reached(Flag which, std::uint64_t steps) noexcept {
  for (int r = 0; r < size_; ++r) {
    if (r != rank_ && !reached(r, which, steps)) return false;
  }
  return true;
}

/// Takes the slots for a message of `bytes`, equal on all ranks.
void NodeGroup::begin(std::size_t bytes) noexcept {
  ring_ = bytes <= short_slot_bytes ? short_ring_ : long_ring_;
}

/// Whether all others have read what this rank's slot of `step` held before.
bool NodeGroup::slot_is_free(std::uint64_t step) noexcept {
  return step < ring_.slots || all_reached(read, step - ring_.slots + 1);
}

/// Chunks that a rank writes before it turns to reading: two keep both sides busy; where ranks wait
/// for the core, as many as fit.
std::size_t NodeGroup::ahead() const noexcept {
  return patience_.oversubscribed() ? ring_.slots : 2;
}

/// Writes into memory that other ranks read.
void NodeGroup::write(std::byte* to, const std::byte* from, std::size_t bytes) const noexcept {
  if (stores_ == Stores::streaming && bytes >= least_streamed_bytes) {
    stream_bytes(to, from, bytes);
  } else {
    give_bytes(to, from, bytes);
  }
}

void NodeGroup::barrier() {
  if (size_ <= most_flat_ranks) {
    ++barriers_;
    publish(entered, barriers_);
    patience_.wait([&] { return all_reached(entered, barriers_); });
    return;
  }
  for (int distance = 1; distance < size_; distance *= 2) {
    ++barriers_;
    publish(entered, barriers_);
    const int behind = (rank_ + size_ - distance) % size_;
    patience_.wait([&] { return reached(behind, entered, barriers_); });
  }
}

void NodeGroup::spread(std::byte* data, std::size_t bytes, int from, int to) {
  if (size_ == 1 || bytes == 0) return;
  begin(bytes);
  // Nothing is done meanwhile on the other side of the first chunk and of the last.
  const std::size_t chunk = chunk_bytes(bytes, slot_bytes / 2);
  const std::uint64_t end = step_ + ceil_div(bytes, chunk);
  for (std::size_t first = 0; first < bytes; first += chunk, ++step_) {
    const std::size_t count = std::min(chunk, bytes - first);
    if (rank_ == from) {
      patience_.wait([&] { return slot_is_free(step_); });
      write(slot(rank_, step_), data + first, count);
      publish(written, step_ + 1);
    } else if (to == everyone || rank_ == to) {
      patience_.wait([&] { return reached(from, written, step_ + 1); });
      copy_bytes(data + first, slot(from, step_), count);
      publish(read, step_ + 1);
    }
  }
  publish(read, end);
}

void NodeGroup::gather_to(const std::byte* in, std::byte* out, std::size_t bytes, int to) {
  const bool reads = to == everyone || to == rank_;
  const bool writes = size_ > 1 && (to == everyone || to != rank_);
  const auto place = [&](int r) { return out + static_cast<std::size_t>(r) * bytes; };
  if (reads && place(rank_) != in) copy_bytes(place(rank_), in, bytes);
  if (size_ == 1 || bytes == 0) return;

  begin(bytes);
  const std::size_t chunk = chunk_bytes(bytes);
  const std::size_t steps = ceil_div(bytes, chunk);
  const auto count = [&](std::size_t step) { return std::min(chunk, bytes - step * chunk); };
  if (!reads) publish(read, step_ + steps);
  std::size_t sent = writes ? 0 : steps;
  std::size_t got = 0;
  const std::size_t to_get = reads ? steps : 0;
  for (unsigned polls = 0; sent < steps || got < to_get;) {
    if (sent < steps && slot_is_free(step_ + sent)) {
      write(slot(rank_, step_ + sent), in + sent * chunk, count(sent));
      publish(written, step_ + ++sent);
      polls = 0;
    } else if (got < to_get && all_reached(written, step_ + got + 1)) {
      for (int r = 0; r < size_; ++r) {
        if (r != rank_) copy_bytes(place(r) + got * chunk, slot(r, step_ + got), count(got));
      }
      publish(read, step_ + ++got);
      polls = 0;
    } else {
      patience_.pause(polls++);
    }
  }
  step_ += steps;
  publish(read, step_);
}

void NodeGroup::reduce_to(const std::byte* in, std::byte* out, std::size_t n,
                          const Reduction& reduction, int to) {
  const std::size_t bytes = n * reduction.element_bytes;
  if (bytes == 0) return;
  begin(bytes);
  if (size_ == 1) {
    if (in != out) copy_bytes(out, in, bytes);
  } else if (size_ == 2 || bytes <= small_bytes) {
    reduce_whole(in, out, n, reduction, to);
  } else {
    reduce_parts(in, out, n, reduction, to);
  }
}

/// Every rank that wants the result reads all of the others' values and reduces them itself. For
/// two ranks as little is read as when each reduces a part, and there is one wait a chunk instead
/// of two; small messages are all wait.
void NodeGroup::reduce_whole(const std::byte* in, std::byte* out, std::size_t n,
                             const Reduction& reduction, int to) {
  const std::size_t width = reduction.element_bytes;
  const std::size_t chunk = chunk_bytes(n * width) / width;
  const std::size_t steps = ceil_div(n, chunk);
  const auto count = [&](std::size_t step) { return std::min(chunk, n - step * chunk); };
  const bool reads = to == everyone || to == rank_;
  const bool writes = to == everyone || to != rank_;
  if (!reads) publish(read, step_ + steps);
  std::size_t sent = writes ? 0 : steps;
  std::size_t reduced = reads ? 0 : steps;
  for (unsigned polls = 0; sent < steps || reduced < steps;) {
    if (sent < steps && (!reads || sent < reduced + ahead()) && slot_is_free(step_ + sent)) {
      write(slot(rank_, step_ + sent), in + sent * chunk * width, count(sent) * width);
      publish(written, step_ + ++sent);
      polls = 0;
    } else if (reduced < steps && all_reached(written, step_ + reduced + 1)) {
      const std::size_t begin = reduced * chunk * width;
      combine_whole(in + begin, out + begin, count(reduced), reduction, step_ + reduced);
      publish(read, step_ + ++reduced);
      polls = 0;
    } else {
      patience_.pause(polls++);
    }
  }
  step_ += steps;
  publish(read, step_);
}

/// Reduces n elements of a chunk, all of which are in the others' slots; `in` may be `out`.
void NodeGroup::combine_whole(const std::byte* in, std::byte* out, std::size_t n,
                              const Reduction& reduction, std::uint64_t step) const {
  const auto values = [&](int r) { return r == rank_ ? in : slot(r, step); };
  if (size_ == 2) {  // an element is read before it is written: no need for a block in between
    reduction.combine(out, values(0), values(1), n);
    return;
  }
  fold(reduction, {0, n}, values, [&](const std::byte* block, std::size_t at, std::size_t bytes) {
    copy_bytes(out + at, block, bytes);
  });
}

/// Every rank reduces its part of each chunk: it finds the others' values in their slots, puts the
/// result where it has no input of its own to hand over, and collects the other parts.
///
///     slot of rank 1:  [ x1 for rank 0 | result of part 1 | x1 for rank 2 ]
void NodeGroup::reduce_parts(const std::byte* in, std::byte* out, std::size_t n,
                             const Reduction& reduction, int to) {
  const std::size_t width = reduction.element_bytes;
  const std::size_t chunk = chunk_bytes(n * width) / width;
  const std::size_t steps = ceil_div(n, chunk);
  const auto at = [&](std::size_t step) {
    return Chunk{step * chunk, std::min(chunk, n - step * chunk)};
  };
  const bool reads = to == everyone || to == rank_;
  std::size_t copied = 0;
  std::size_t reduced = 0;
  std::size_t taken = 0;
  for (unsigned polls = 0; taken < steps;) {
    if (copied < steps && copied < taken + ahead() && slot_is_free(step_ + copied)) {
      copy_in(in, at(copied), width, step_ + copied);
      publish(written, step_ + ++copied);
      polls = 0;
    } else if (reduced < copied && all_reached(written, step_ + reduced + 1)) {
      combine(in, reads ? out : nullptr, at(reduced), reduction, step_ + reduced);
      publish(combined, step_ + ++reduced);
      polls = 0;
    } else if (taken < reduced && (!reads || all_reached(combined, step_ + taken + 1))) {
      if (reads) copy_out(out, at(taken), width, step_ + taken);
      publish(read, step_ + ++taken);
      polls = 0;
    } else {
      patience_.pause(polls++);
    }
  }
  step_ += steps;
}

/// The part of n elements that `rank` reduces: whole cache lines, but for the end.
NodeGroup::Part NodeGroup::part_of(int rank, std::size_t n,
                                   std::size_t element_bytes) const noexcept {
  constexpr std::size_t cache_line = 64;
  const std::size_t per_line = std::max<std::size_t>(1, cache_line / element_bytes);
  const std::size_t length = round_up(ceil_div(n, static_cast<std::size_t>(size_)), per_line);
  const auto r = static_cast<std::size_t>(rank);
  return {std::min(r * length, n), std::min((r + 1) * length, n)};
}

/// Puts the parts that others reduce into this rank's slot.
void NodeGroup::copy_in(const std::byte* in, const Chunk& chunk, std::size_t element_bytes,
                        std::uint64_t step) {
  const Part mine = part_of(rank_, chunk.count, element_bytes);
  const std::byte* const source = in + chunk.first * element_bytes;
  std::byte* const target = slot(rank_, step);
  const std::size_t last = mine.last * element_bytes;
  write(target, source, mine.first * element_bytes);
  write(target + last, source + last, chunk.count * element_bytes - last);
}

/// Folds elements of `part` over the ranks, in their order, block by block in a buffer that stays
/// in the L1 cache: values(r) is where those of rank r begin, store(block, first, count) takes
/// results.
template <typename Values, typename Store>
void NodeGroup::fold(const Reduction& reduction, const Part& part, Values&& values,
                     Store&& store) const {
  alignas(line_bytes) std::array<std::byte, block_bytes> block;
  const std::size_t width = reduction.element_bytes;
  const std::size_t length = block_bytes / width;
  for (std::size_t first = part.first; first < part.last; first += length) {
    const std::size_t count = std::min(length, part.last - first);
    const std::size_t at = first * width;
    reduction.combine(block.data(), values(0) + at, values(1) + at, count);
    for (int r = 2; r < size_; ++r)
      reduction.combine(block.data(), block.data(), values(r) + at, count);
    store(block.data(), at, count * width);
  }
}

/// Reduces this rank's part into its slot, and into `out` unless that is null.
void NodeGroup::combine(const std::byte* in, std::byte* out, const Chunk& chunk,
                        const Reduction& reduction, std::uint64_t step) {
  const std::size_t begin = chunk.first * reduction.element_bytes;
  std::byte* const result = slot(rank_, step);
  fold(
      reduction, part_of(rank_, chunk.count, reduction.element_bytes),
      [&](int r) { return r == rank_ ? in + begin : slot(r, step); },
      [&](const std::byte* block, std::size_t at, std::size_t bytes) {
        write(result + at, block, bytes);
        if (out != nullptr) copy_bytes(out + begin + at, block, bytes);
      });
}

/// Collects the parts that others reduced.
void NodeGroup::copy_out(std::byte* out, const Chunk& chunk, std::size_t element_bytes,
                         std::uint64_t step) {
  for (int r = 0; r < size_; ++r) {
    if (r == rank_) continue;
    const Part part = part_of(r, chunk.count, element_bytes);
    const std::size_t first = part.first * element_bytes;
    copy_bytes(out + chunk.first * element_bytes + first, slot(r, step) + first,
               part.last * element_bytes - first);
  }
}

void NodeGroup::all_reduce_shared(std::span<std::byte* const> vectors, std::size_t n,
                                  const Reduction& reduction) {
  if (size_ == 1) return;
  barrier();
  fold(
      reduction, part_of(rank_, n, reduction.element_bytes),
      [&](int r) { return vectors[static_cast<std::size_t>(r)]; },
      [&](const std::byte* block, std::size_t at, std::size_t bytes) {
        // Not past the caches: what was just read stands in this core's.
        for (std::byte* const vector : vectors) copy_bytes(vector + at, block, bytes);
      });
  barrier();
}

void NodeGroup::reduce_shared(std::span<std::byte* const> vectors, std::size_t n,
                              const Reduction& reduction) {
  if (size_ == 1) return;
  barrier();
  fold(
      reduction, part_of(rank_, n, reduction.element_bytes),
      [&](int r) { return vectors[static_cast<std::size_t>(r)]; },
      [&](const std::byte* block, std::size_t at, std::size_t bytes) {
        copy_bytes(vectors[0] + at, block, bytes);
      });
  barrier();
}

}  // namespace cairn::detail
