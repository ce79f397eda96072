/// What a WorkPool is told, and what it tells who may pause it.
#pragma once

#include <cstdint>
#include <functional>

#include "cairn/loadbalance/incumbent.hpp"
#include "cairn/loadbalance/pool_report.hpp"
#include "cairn/loadbalance/steal_options.hpp"

namespace cairn::loadbalance {

struct WorkPoolOptions {
  /// Of this rank, the caller's among them.
  int threads = 1;
  StealOptions stealing = {};
  /// Called while a run goes on, on each rank by the caller's thread, between its tasks (so later,
  /// while one is long) and also when it has none; no rank waits for another. It shall be short.
  /// What it throws ends the run on all ranks.
  std::function<void(const PoolPulse&)> pulse = {};
  double pulse_seconds = 1;  ///< from one to the next, 0 or more
  /// Kept up to date by this pool's runs; the caller's, and outlives the pool. All ranks have one,
  /// or none.
  SharedBest* incumbent = nullptr;
};

/// Local. @throws Error{Errc::usage} for options that cannot be
void check(const WorkPoolOptions& options);

/// A rank in the middle of a run, as its first thread sees it.
struct RankLook {
  std::uint64_t tasks = 0;  ///< that it has done in this call, about
  bool is_idle = false;     ///< no thread has any
};

}  // namespace cairn::loadbalance
