#include "node_group.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "cairn/core/mpi_error.hpp"
#include "copy_bytes.hpp"
#include "node_slots.hpp"

namespace cairn::detail {

namespace {

constexpr std::size_t page_bytes = 4096;
constexpr std::size_t fewest_slots = 16;
constexpr std::size_t most_slots = 256;
/// Of all ranks of a node together, as long as these are no fewer than `fewest_slots` each.
constexpr std::size_t most_slot_bytes_of_node = std::size_t{256} << 20;
/// Messages up to a short slot's size take turns in these few, which are soon used again.
constexpr std::size_t short_slot_bytes = std::size_t{8} << 10;
constexpr std::size_t short_slots = 8;
/// So few ranks look at each other's flags directly in a barrier.
constexpr int most_flat_ranks = 4;
constexpr std::size_t least_streamed_bytes = 1024;
/// A longer message does not stay in the reader's cache.
constexpr std::size_t most_fetched_bytes = std::size_t{512} << 10;

using AtomicFlag = std::atomic_ref<std::uint64_t>;
static_assert(AtomicFlag::is_always_lock_free, "flags between processes must be lock-free");

/// Bytes of a chunk of a message that one rank hands to others: nothing is done meanwhile on the
/// other side of the first chunk and of the last, which are half as long where there are few.
constexpr std::size_t chunk_of_copy(std::size_t bytes) {
  return bytes <= 2 * slot_bytes ? slot_bytes / 2 : slot_bytes;
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
  const std::size_t boxes = ranks == 2 ? 2 * box_bytes : 0;
  auto memory = SharedMemory::allocate(node, flag_bytes(ranks) + ranks * each + boxes);
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
      boxes_(long_ring_.begin + static_cast<std::size_t>(size_) * long_ring_.bytes()),
      known_(static_cast<std::size_t>(size_) * flag_count, 0) {
  // The first touch places the pages near this rank; nobody else writes there.
  for (const auto& ring : {short_ring_, long_ring_}) {
    ring_ = ring;
    std::memset(slot(rank_, 0), 0, ring.bytes());
  }
  if (size_ == 2) std::memset(box(rank_, 0), 0, box_bytes);
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

/// Where `rank` puts its values in a swap. Both take what the other has put there, and put the next
/// values into the same memory.
std::byte* NodeGroup::box(int rank, std::uint64_t step) const noexcept {
  const std::size_t index = (static_cast<std::uint64_t>(rank) + step) % 2;
  return memory_.bytes().data() + boxes_ + index * box_bytes;
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

/// Copies out of memory that another rank has written, of a message of so many bytes.
void NodeGroup::take(std::byte* to, const std::byte* from, std::size_t bytes,
                     std::size_t of_message) const noexcept {
  if (stores_ == Stores::streaming && of_message <= most_fetched_bytes) {
    fetch_bytes(to, from, bytes);
  } else {
    copy_bytes(to, from, bytes);
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
  const std::size_t chunk = chunk_of_copy(bytes);
  const std::uint64_t end = step_ + ceil_div(bytes, chunk);
  for (std::size_t first = 0; first < bytes; first += chunk, ++step_) {
    const std::size_t count = std::min(chunk, bytes - first);
    if (rank_ == from) {
      patience_.wait([&] { return slot_is_free(step_); });
      write(slot(rank_, step_), data + first, count);
      publish(written, step_ + 1);
    } else if (to == everyone || rank_ == to) {
      patience_.wait([&] { return reached(from, written, step_ + 1); });
      take(data + first, slot(from, step_), count, bytes);
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
  constexpr std::size_t chunk = slot_bytes;
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
        if (r != rank_) take(place(r) + got * chunk, slot(r, step_ + got), count(got), bytes);
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

}  // namespace cairn::detail
