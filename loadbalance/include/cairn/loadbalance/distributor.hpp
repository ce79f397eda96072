/// Tasks that are known, again and again: static schedules, repartition and work stealing behind
/// one call.
///
///     Distributor distributor(comm, threads, *policy_of("stealing"));
///     for (int frame = 0; frame < frames; ++frame)
///       distributor.run(tiles, {}, [&](std::size_t tile, int thread) { … });
///
/// Tasks that spawn others: CheckpointedRun::advance() with a Dealing (deal.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "cairn/loadbalance/moving.hpp"
#include "cairn/loadbalance/policy.hpp"
#include "cairn/loadbalance/pool_report.hpp"

namespace cairn::loadbalance {

/// Deals tasks out to all threads of all ranks, again and again.
class Distributor {
 public:
  /// Does a task. Called from several threads at once.
  /// @param thread  that does it, of this rank: 0 … threads - 1
  using Work = std::function<void(std::size_t task, int thread)>;

  /// Local. @param comm  outlives this; @param threads  of each rank, equal everywhere
  Distributor(const Communicator& comm, int threads, Policy policy)
      : comm_(&comm), threads_(threads), policy_(policy) {}

  /// Does each of the tasks 0 … tasks - 1 once (none; fewer than workers: all the same), on some
  /// thread of some rank. Collective, blocking.
  ///
  /// Static policies deal the tasks to all threads of all ranks as if these were equal workers,
  /// worker rank · threads + thread, and nobody does anything else. Policy::repartition has ranges
  /// of tasks for the same workers, and cuts them anew by what each task has taken in the last
  /// call that has ended well, if that had as many; the first time it is Policy::block. With
  /// stealing each rank begins with the tasks that are its own by block.
  ///
  /// @param tasks    at most 2^32, equal everywhere
  /// @param weights  of the tasks, equal everywhere, for Policy::weighted; else empty
  /// @throws on all ranks, agreed: what `work` has thrown on the lowest rank where it has, first or
  /// on the first thread.
  ///         With all policies but stealing the other threads do their tasks first.
  void run(std::size_t tasks, std::span<const double> weights, const Work& work);

  /// What this rank has done in all calls that have ended well: without stealing, work is what its
  /// threads took for their tasks, idle what the first one waited for all others. Local.
  [[nodiscard]] const WorkPoolReport& report() const noexcept { return report_; }
  [[nodiscard]] const Communicator& comm() const noexcept { return *comm_; }
  [[nodiscard]] int threads() const noexcept { return threads_; }
  [[nodiscard]] Policy policy() const noexcept { return policy_; }

 private:
  void repartition(std::size_t tasks, const Work& work);
  void follow(const Schedule& schedule, const Work& work);

  const Communicator* comm_;
  int threads_;
  Policy policy_;
  WorkPoolReport report_;
  // Of Policy::repartition, of the last call that has ended well, equal everywhere.
  Ranges ranges_;                          // of the workers
  std::vector<std::int64_t> nanoseconds_;  // that each task has taken
};

}  // namespace cairn::loadbalance
