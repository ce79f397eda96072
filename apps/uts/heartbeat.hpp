// What cairn-uts tells while it counts.
#pragma once

#include "cairn/loadbalance/pool_report.hpp"
#include "cairn/program/program.hpp"
#include "cairn/program/progress.hpp"
#include "explore.hpp"

namespace cairn::uts {

/// A progress line of rank 0, and, when SIGUSR2 comes, a line of each rank about what it waits for.
/// No rank asks another one, so both go on when others hang.
class Heartbeat {
 public:
  /// Between two beats: so often a signal is looked for.
  static constexpr double seconds = 0.2;

  /// Holds SIGUSR2 back, in this process and the threads that it will start, until beat() looks for
  /// it. For main(), before anything else.
  static void hold_requests();

  /// @param run  of which this is; both live as long as this
  Heartbeat(const program::Context& context, const TreeRun& run, Leaves leaves);

  void beat(const loadbalance::PoolPulse& pulse);
  /// Removes the progress line.
  void finish() { progress_.finish(); }

 private:
  const program::Context& context_;
  const TreeRun& run_;
  program::Progress progress_;
};

}  // namespace cairn::uts
