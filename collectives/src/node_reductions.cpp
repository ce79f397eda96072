// The reductions of a NodeGroup.

#include <algorithm>
#include <array>
#include <cstddef>

#include "copy_bytes.hpp"
#include "node_group.hpp"
#include "node_slots.hpp"

namespace cairn::detail {

namespace {

constexpr std::size_t block_bytes = std::size_t{8} << 10;  // is still in the L1 cache when copied
/// Up to here every rank reduces everything: one wait for the others instead of two.
constexpr std::size_t small_bytes = 2048;
/// Two ranks swap boxes from here on. Up to most_bytes_of_slots they do so a slot's size at once:
/// less is done before the first swap and after the last.
constexpr std::size_t least_swapped_bytes = std::size_t{8} << 10;
constexpr std::size_t most_bytes_of_slots = std::size_t{512} << 10;

}  // namespace

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
  const std::size_t chunk = slot_bytes / width;
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
    } else if (reduced < sent && all_reached(written, step_ + reduced + 1)) {
      // Not before it is sent: the result may take the place of what is to be sent.
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

/// While a rank waits for a core the other could get no further than one box.
bool NodeGroup::swaps(std::size_t bytes) const noexcept {
  return size_ == 2 && bytes >= least_swapped_bytes && !patience_.oversubscribed();
}

/// Two ranks hand two boxes to and fro: who reads the other's values in one puts its next ones over
/// them in the same pass. So a line goes from core to core once a chunk, with the right to write
/// it; in a ring it goes twice, when it is read and when it is written again.
///
///     step k:  rank 0 reads box 1 and fills it anew, rank 1 does so with box 0
///     step k+1:         box 0                                box 1
void NodeGroup::reduce_swapping(const std::byte* in, std::byte* out, std::size_t n,
                                const Reduction& reduction) {
  const std::size_t width = reduction.element_bytes;
  const std::size_t chunk = (n * width <= most_bytes_of_slots ? slot_bytes : box_bytes) / width;
  const int other = 1 - rank_;
  give_bytes(box(rank_, swaps_), in, std::min(chunk, n) * width);
  publish(swapped, swaps_ + 1);
  for (std::size_t first = 0; first < n; first += chunk, ++swaps_) {
    patience_.wait([&] { return reached(other, swapped, swaps_ + 1); });
    std::byte* const theirs = box(other, swaps_);
    const std::size_t last = std::min(first + chunk, n);
    const std::byte* const mine = in + first * width;
    const std::byte* const left = rank_ == 0 ? mine : theirs;
    const std::byte* const right = rank_ == 0 ? theirs : mine;
    std::byte* const result = out + first * width;
    const std::size_t following = std::min(last + chunk, n) - last;
    const std::size_t at = following * width;
    reduction.exchange(result, left, right, theirs, in + last * width, following);
    reduction.combine(result + at, left + at, right + at, last - first - following);
    if (last < n) publish(swapped, swaps_ + 2);
  }
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
  const std::size_t chunk = slot_bytes / width;
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

void NodeGroup::reduce_shared(std::span<std::byte* const> vectors, std::size_t n,
                              const Reduction& reduction, std::span<std::byte* const> results) {
  if (size_ == 1) return;
  barrier();
  fold(
      reduction, part_of(rank_, n, reduction.element_bytes),
      [&](int r) { return vectors[static_cast<std::size_t>(r)]; },
      [&](const std::byte* block, std::size_t at, std::size_t bytes) {
        // Not past the caches: what was just read stands in this core's.
        for (std::byte* const result : results) copy_bytes(result + at, block, bytes);
      });
  barrier();
}

}  // namespace cairn::detail
