#include "halo.hpp"

#include <algorithm>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "exchange.hpp"

namespace cairn::cg {

Halo::Halo(const Communicator& comm, const RowPartition& partition,
           std::vector<std::uint64_t> ghosts)
    : comm_(comm),
      first_(partition.first(comm.rank())),
      own_(partition.count(comm.rank())),
      ghosts_(std::move(ghosts)) {
  below_ = static_cast<std::size_t>(std::lower_bound(ghosts_.begin(), ghosts_.end(), first_) -
                                    ghosts_.begin());
  const auto wanted = together(comm, [&] {
    std::vector<std::vector<std::uint64_t>> lists(static_cast<std::size_t>(comm.size()));
    for (std::size_t g = 0; g < ghosts_.size(); ++g) {
      const int owner = partition.owner(ghosts_[g]);
      // The ghosts of one owner stand together, since its rows do.
      if (sources_.empty() || sources_.back().rank != owner)
        sources_.push_back({owner, local(ghosts_[g]), 0});
      ++sources_.back().count;
      lists[static_cast<std::size_t>(owner)].push_back(ghosts_[g]);
    }
    return lists;
  });
  const auto needed = exchange_lists(comm, wanted);
  together(comm, [&] {
    for (int r = 0; r < comm.size(); ++r) {
      const auto count = static_cast<std::size_t>(needed.counts[static_cast<std::size_t>(r)]);
      if (count > 0) destinations_.push_back({r, outgoing_.size(), count});
      for (std::size_t k = 0; k < count; ++k)
        outgoing_.push_back(local(needed.words[outgoing_.size()]));
    }
    buffer_.resize(outgoing_.size());
    requests_.reserve(sources_.size() + destinations_.size());
  });
}

std::size_t Halo::local(std::uint64_t global) const {
  if (global >= first_ && global < first_ + own_)
    return below_ + static_cast<std::size_t>(global - first_);
  const auto found = std::lower_bound(ghosts_.begin(), ghosts_.end(), global);
  expects(found != ghosts_.end() && *found == global, "an own entry or a ghost");
  return static_cast<std::size_t>(found - ghosts_.begin()) + (global < first_ ? 0 : own_);
}

void Halo::exchange(std::span<double> extended) {
  requests_.clear();
  for (const auto& [rank, first, count] : sources_) {
    check_mpi(MPI_Irecv(extended.data() + first, static_cast<int>(count), MPI_DOUBLE, rank, 0,
                        comm_.native(), &requests_.emplace_back()),
              "MPI_Irecv");
  }
  for (std::size_t k = 0; k < outgoing_.size(); ++k) buffer_[k] = extended[outgoing_[k]];
  for (const auto& [rank, first, count] : destinations_) {
    check_mpi(MPI_Isend(buffer_.data() + first, static_cast<int>(count), MPI_DOUBLE, rank, 0,
                        comm_.native(), &requests_.emplace_back()),
              "MPI_Isend");
  }
  check_mpi(MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE),
            "MPI_Waitall");
}

}  // namespace cairn::cg
