/// What a program tells while its WorkPool works.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "cairn/loadbalance/pool_report.hpp"
#include "cairn/program/program.hpp"
#include "cairn/program/progress.hpp"

namespace cairn::program {

/// A progress line of rank 0; what rank 0 waits for, when none of its tasks has ended for long;
/// and, when SIGUSR2 comes, a line of each rank about that. No rank asks another one, so all of it
/// goes on when others hang.
///
///     PoolHeartbeat heartbeat(context, "nodes of rank 0");
///     WorkPool pool(world, {.pulse = [&](const PoolPulse& pulse) { heartbeat.beat(pulse); },
///                           .pulse_seconds = PoolHeartbeat::seconds});
class PoolHeartbeat {
 public:
  /// Between two beats: so often a signal is looked for.
  static constexpr double seconds = 0.2;

  /// Holds SIGUSR2 back, in this process and the threads that it will start, until beat() looks for
  /// it. For main(), before anything else.
  static void hold_requests();

  /// @param context  lives as long as this
  /// @param label    what rank 0's tasks are
  PoolHeartbeat(const Context& context, const std::string& label);

  /// @param before  tasks of this rank in parts of the run that are over
  void beat(const loadbalance::PoolPulse& pulse, std::uint64_t before = 0);
  /// Removes the progress line.
  void finish() { progress_.finish(); }

 private:
  void tell_of_silence(const loadbalance::PoolPulse& pulse, std::uint64_t tasks);

  const Context& context_;
  Progress progress_;
  std::uint64_t tasks_ = 0;  // at the last beat that saw new ones
  Reminder silence_;
};

}  // namespace cairn::program
