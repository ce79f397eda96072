/// How a rank waits for another one of its node.
#pragma once

#include <mpi.h>

namespace cairn::detail {

/// Waits for what another rank writes into shared memory: polls, then yields the core.
///
/// Polling is right while the peer runs on another core, and wasted while it waits for this one.
/// Whether others want this core shows in how long a yield takes, so that the patience adapts to
/// ranks and strangers alike.
class Patience {
 public:
  /// @param progress  a communicator without traffic, borrowed: MPI is asked for messages on it so
  /// that it moves this rank's own pending messages on. A peer may be blocked in MPI until it does,
  /// and come here only then.
  /// @param most_polls  before the first yield; 0 when ranks outnumber cores
  Patience(MPI_Comm progress, unsigned most_polls) noexcept
      : progress_(progress), most_polls_(most_polls), limit_(most_polls) {}

  /// Returns when `ready()` is true.
  /// @throws Error{Errc::mpi_failure} when MPI reports one meanwhile
  template <typename Ready>
  void wait(Ready&& ready) {
    for (unsigned polls = 0; !ready(); ++polls) pause(polls);
  }

  /// The pause after `polls` polls in vain, from 0.
  void pause(unsigned polls);

  [[nodiscard]] bool oversubscribed() const noexcept { return most_polls_ == 0; }

 private:
  void yield();

  MPI_Comm progress_;
  unsigned most_polls_;
  unsigned limit_;  // polls before the first yield, now
};

}  // namespace cairn::detail
