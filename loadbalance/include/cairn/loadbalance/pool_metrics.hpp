/// How well a run of a WorkPool used its threads, by the metrics of POP.
///
///     const auto reports = gather_reports(comm, pool.report());
///     for (const auto& line : lines_of(reports)) context.log.info(line);
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "cairn/loadbalance/pool_report.hpp"

namespace cairn::loadbalance {

/// The useful time of a thread is what it works on tasks; runtime is the longest of the ranks, in
/// the pool alone. Every thread counts as one of POP's processes. Metrics are between 0 and 1, up
/// to rounding; 1 where nothing has been done.
///
/// Source: POP Centre of Excellence, "POP standard metrics for parallel performance analysis",
/// https://pop-coe.eu
struct PoolMetrics {
  int ranks = 0;
  int threads = 0;  ///< of all ranks
  double runtime_seconds = 0;
  double load_balance = 1;              ///< mean over the threads / most of a thread
  double communication_efficiency = 1;  ///< most of a thread / runtime
  double parallel_efficiency = 1;       ///< their product: mean over the threads / runtime
  WorkPoolReport total = {};            ///< sums over the ranks
};

/// Local, pure. @param reports  of all ranks, of the same run or runs
[[nodiscard]] PoolMetrics metrics_of(std::span<const WorkPoolReport> reports);

/// The reports of all ranks, in their order, on all ranks. Collective, blocking.
/// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
/// @par Memory  some 400 bytes for each rank, on each rank
[[nodiscard]] std::vector<WorkPoolReport> gather_reports(const Communicator& comm,
                                                         const WorkPoolReport& mine);

/// For people: the metrics, the steals, and a table of the ranks' times; of many ranks those that
/// worked least and most. Local.
[[nodiscard]] std::vector<std::string> lines_of(std::span<const WorkPoolReport> reports);

}  // namespace cairn::loadbalance
