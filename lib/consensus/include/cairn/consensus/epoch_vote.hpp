/// Whether all ranks have come to the end of writing an epoch, without waiting for one that does
/// not.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "cairn/consensus/commit.hpp"

namespace cairn::consensus {

/// Paxos Commit among the ranks of a communicator, an epoch at a time. Each votes when its part is
/// settled; the epoch is given up when one has not within so many seconds, and it makes no
/// difference which of them hangs: one of three acceptors may.
///
/// The votes are in memory. What outlives the processes is the record of the epoch, which rank 0
/// publishes only after the ranks have decided, and a restart asks nothing else.
class EpochVote {
 public:
  /// Collective.
  /// @param hosts  of each rank, equal numbers for one host: the acceptors are on as many as can be
  /// @param patience_seconds  0: for ever
  /// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
  EpochVote(const Communicator& comm, std::span<const int> hosts, double patience_seconds);
  EpochVote(const EpochVote&) = delete;
  EpochVote& operator=(const EpochVote&) = delete;
  /// Collective; waits for the others some seconds at most. May come after MPI_Finalize, which then
  /// waits in its place.
  ~EpochVote();

  /// More ranks agree by a collective, which waits for all of them.
  static constexpr int most_ranks = 1024;

  /// Votes, and learns what was decided: true when all have voted in time. Equal on all ranks, also
  /// on one that comes late. Not to be called twice for one epoch.
  /// @throws Error{Errc::run_again} on this rank when it cannot learn it, since too many are
  /// silent; {mpi_failure} on the ranks where MPI reports an error
  [[nodiscard]] bool all_are_here(const EpochId& id);

  /// After `false`: ranks that had not voted, as far as this one knows.
  [[nodiscard]] const std::vector<int>& silent_ranks() const noexcept { return silent_; }

  class Rounds;

 private:
  std::unique_ptr<Rounds> rounds_;
  std::vector<int> silent_;
};

}  // namespace cairn::consensus
