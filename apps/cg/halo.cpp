#include "halo.hpp"

#include <algorithm>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"

namespace cairn::cg {

Halo::Halo(const Communicator& comm, const RowPartition& partition,
           std::vector<std::uint64_t> ghosts)
    : first_(partition.first(comm.rank())),
      own_(partition.count(comm.rank())),
      ghosts_(std::move(ghosts)) {
  const auto lists = together(comm, [&] {
    find_sources(partition);
    auto to_owners = wanted();
    to_owners.resize(static_cast<std::size_t>(comm.size()));
    return to_owners;
  });
  const auto needed = exchange_lists(comm, lists);
  together(comm, [&] { find_destinations(needed); });
  graph_.emplace(comm, sources_.ranks, destinations_.ranks);
}

void Halo::Parts::add(int rank, std::size_t first, std::size_t count) {
  ranks.push_back(rank);
  counts.push_back(static_cast<int>(count));
  displacements.push_back(static_cast<int>(first));
}

/// The ghosts of one owner stand together, since its rows do.
void Halo::find_sources(const RowPartition& partition) {
  below_ = static_cast<std::size_t>(std::lower_bound(ghosts_.begin(), ghosts_.end(), first_) -
                                    ghosts_.begin());
  for (const auto ghost : ghosts_) {
    const int owner = partition.owner(ghost);
    if (sources_.ranks.empty() || sources_.ranks.back() != owner) {
      sources_.add(owner, local(ghost), 1);
    } else {
      ++sources_.counts.back();
    }
  }
}

/// The ghosts by owner, up to the last one.
std::vector<std::vector<std::uint64_t>> Halo::wanted() const {
  std::vector<std::vector<std::uint64_t>> lists;
  auto ghost = ghosts_.begin();
  for (std::size_t s = 0; s < sources_.ranks.size(); ++s) {
    lists.resize(static_cast<std::size_t>(sources_.ranks[s]) + 1);
    lists.back().assign(ghost, ghost + sources_.counts[s]);
    ghost += sources_.counts[s];
  }
  return lists;
}

void Halo::find_destinations(const Incoming& needed) {
  for (std::size_t rank = 0; rank < needed.counts.size(); ++rank) {
    const auto count = static_cast<std::size_t>(needed.counts[rank]);
    if (count > 0) destinations_.add(static_cast<int>(rank), outgoing_.size(), count);
    for (std::size_t k = 0; k < count; ++k)
      outgoing_.push_back(local(needed.words[outgoing_.size()]));
  }
  buffer_.resize(outgoing_.size());
}

std::size_t Halo::local(std::uint64_t global) const {
  if (global >= first_ && global < first_ + own_)
    return below_ + static_cast<std::size_t>(global - first_);
  const auto found = std::lower_bound(ghosts_.begin(), ghosts_.end(), global);
  expects(found != ghosts_.end() && *found == global, "an own entry or a ghost");
  return static_cast<std::size_t>(found - ghosts_.begin()) + (global < first_ ? 0 : own_);
}

void Halo::exchange(std::span<double> extended) {
  for (std::size_t k = 0; k < outgoing_.size(); ++k) buffer_[k] = extended[outgoing_[k]];
  neighbor_all_to_all_v(graph_->comm(), std::span<const double>(buffer_), destinations_.layout(),
                        extended, sources_.layout());
}

}  // namespace cairn::cg
