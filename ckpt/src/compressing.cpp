#include "compressing.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/reductions.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/failpoint.hpp"

namespace cairn::ckpt {

namespace {

/// Chunks of a rank that are on their way at once.
constexpr std::size_t batch_chunks = 4;

Failpoint before_collect{"ckpt.chunk.collect"};

std::vector<std::uint64_t> flat(const Box& box) {
  std::vector<std::uint64_t> numbers(box.offset.begin(), box.offset.end());
  numbers.insert(numbers.end(), box.count.begin(), box.count.end());
  return numbers;
}

bool has_elements(const Box& box) { return volume(box.count) > 0; }

}  // namespace

AxisRange chunks_of_rank(const ChunkGrid& grid, int ranks, int rank) {
  return block_range(grid.chunks(), ranks, rank);
}

ChunkExchange::ChunkExchange(const Communicator& comm, const BlockInMemory& source, ChunkGrid grid)
    : comm_(comm),
      source_(source),
      grid_(std::move(grid)),
      mine_{source.block->offset, source.block->count},
      chunk_bytes_(grid_.chunk_elements() * source.element_bytes) {
  Parts<std::uint64_t> all;
  all_gather_v(comm_, flat(mine_), all);
  const auto axes = static_cast<std::ptrdiff_t>(mine_.offset.size());
  for (std::size_t r = 0; r < all.size(); ++r) {
    const auto numbers = all.part(r);
    boxes_.push_back({Shape(numbers.begin(), numbers.begin() + axes),
                      Shape(numbers.begin() + axes, numbers.end())});
  }
  const auto most = chunks_of_rank(grid_, comm_.size(), 0).count;  // the first ranks have more
  batches_ = (most + batch_chunks - 1) / batch_chunks;
  for (std::size_t b = 0; b < batches_; ++b) is_exchanged_.push_back(sends(b) ? 1 : 0);
  if (batches_ > 0) all_reduce(comm_, std::span<int>(is_exchanged_), Maximum{});
}

/// The chunks of a rank in one batch.
AxisRange ChunkExchange::batch_of(int rank, std::size_t batch) const {
  const auto all = chunks_of_rank(grid_, comm_.size(), rank);
  const auto first = std::min(batch * batch_chunks, all.count);
  return {all.first + first, std::min(batch_chunks, all.count - first)};
}

/// Whether this rank has elements of other ranks' chunks.
bool ChunkExchange::sends(std::size_t batch) const {
  if (!has_elements(mine_)) return false;
  for (int r = 0; r < comm_.size(); ++r) {
    if (r == comm_.rank()) continue;
    const auto theirs = batch_of(r, batch);
    for (auto c = theirs.first; c < theirs.first + theirs.count; ++c)
      if (intersection(grid_.box(c), mine_)) return true;
  }
  return false;
}

/// A chunk that lies in this rank's memory as it is to be is not copied.
void ChunkExchange::collect_own(AxisRange mine) {
  const auto size = source_.element_bytes;
  raw_.assign(mine.count * chunk_bytes_, std::byte{});
  chunks_.clear();
  for (std::size_t i = 0; i < mine.count; ++i) {
    const auto slot = std::span(raw_).subspan(i * chunk_bytes_, chunk_bytes_);
    chunks_.emplace_back(slot);
    const auto box = grid_.box(mine.first + i);
    const auto shared = intersection(box, mine_);
    if (!shared) continue;
    const auto memory = in_memory(*source_.block, *shared);
    const auto elements = volume(shared->count);
    if (elements == grid_.chunk_elements() && memory.run_length() >= elements) {
      chunks_.back() = {source_.data + memory.position(0) * size, chunk_bytes_};
      continue;
    }
    const BoxInArray in_chunk(grid_.chunk(), relative_to(*shared, box));
    // Runs of both: the shared box has the same rows in either.
    const auto run = std::min(memory.run_length(), in_chunk.run_length());
    for (std::size_t e = 0; e < elements; e += run)
      std::memcpy(slot.data() + in_chunk.position(e) * size,
                  source_.data + memory.position(e) * size, std::min(run, elements - e) * size);
  }
}

/// Puts the elements of other ranks' chunks one behind the other; how many bytes each rank gets.
std::vector<std::size_t> ChunkExchange::collect_for_others(std::size_t batch) {
  const auto size = source_.element_bytes;
  std::vector<std::size_t> counts(boxes_.size(), 0);
  leaving_.clear();
  for (int r = 0; r < comm_.size(); ++r) {
    if (r == comm_.rank() || !has_elements(mine_)) continue;
    const auto before = leaving_.size();
    const auto theirs = batch_of(r, batch);
    for (auto c = theirs.first; c < theirs.first + theirs.count; ++c) {
      const auto shared = intersection(grid_.box(c), mine_);
      if (!shared) continue;
      const auto at = leaving_.size();
      leaving_.resize(at + volume(shared->count) * size);
      in_memory(*source_.block, *shared)
          .for_each_run(0, volume(shared->count),
                        [&](std::size_t from, std::size_t index, std::size_t length) {
                          std::memcpy(leaving_.data() + at + index * size,
                                      source_.data + from * size, length * size);
                        });
    }
    counts[static_cast<std::size_t>(r)] = leaving_.size() - before;
  }
  return counts;
}

void ChunkExchange::send_and_receive(std::size_t batch) {
  const auto size = source_.element_bytes;
  std::vector<std::size_t> counts;
  attempt([&] { counts = collect_for_others(batch); });
  if (problem_) {
    leaving_.clear();
    counts.assign(boxes_.size(), 0);
  }
  Parts<std::byte> coming;
  all_to_all_v(comm_, std::span<const std::byte>(leaving_), counts, coming);
  if (problem_) return;
  const auto mine = batch_of(comm_.rank(), batch);
  for (std::size_t r = 0; r < boxes_.size(); ++r) {
    auto bytes = std::span<const std::byte>(coming.part(r));
    for (std::size_t i = 0; i < mine.count && !bytes.empty(); ++i) {
      const auto box = grid_.box(mine.first + i);
      const auto shared = intersection(box, boxes_[r]);
      if (!shared) continue;
      auto* const slot = raw_.data() + i * chunk_bytes_;
      const auto elements = volume(shared->count);
      BoxInArray(grid_.chunk(), relative_to(*shared, box))
          .for_each_run(0, elements, [&](std::size_t to, std::size_t index, std::size_t length) {
            std::memcpy(slot + to * size, bytes.data() + index * size, length * size);
          });
      bytes = bytes.subspan(elements * size);
    }
  }
}

const std::vector<std::span<const std::byte>>& ChunkExchange::fetch() {
  const auto batch = next_++;
  attempt([&] {
    before_collect.check("collect chunks");
    collect_own(batch_of(comm_.rank(), batch));
  });
  if (is_exchanged_[batch] != 0) send_and_receive(batch);
  if (problem_) chunks_.clear();
  return chunks_;
}

template <typename Work>
void ChunkExchange::attempt(Work&& work) {
  if (!problem_) problem_ = detail::error_of(std::forward<Work>(work));
}

void pack_chunk(Codec& codec, std::span<const std::byte> raw, PackedChunks& packed) {
  const auto bytes = codec.pack(raw);
  packed.bytes.insert(packed.bytes.end(), bytes.begin(), bytes.end());
  packed.lengths_bytes.push_back(static_cast<std::uint32_t>(bytes.size()));
}

}  // namespace cairn::ckpt
