/// What a WorkPool tells about a rank: after a run, and while it runs.
#pragma once

#include <cstdint>
#include <string>

#include "cairn/loadbalance/latency.hpp"
#include "cairn/loadbalance/steal_options.hpp"

namespace cairn::loadbalance {

class StealNetwork;

/// Where the time of a rank went, by the clock on the wall. Of the first thread all of it; of the
/// others (helpers) what they worked, the rest is waiting.
struct PoolTimes {
  double work_seconds = 0;    ///< the first thread, in tasks and between them
  double poll_seconds = 0;    ///< it looked at the network, though it had tasks; and pulses
  double search_seconds = 0;  ///< it had none, and waited for the rank that it had asked
  double idle_seconds = 0;    ///< it had none, and waited to be given something, or for the end
  double helpers_work_seconds = 0;  ///< all other threads together
  /// The work of the thread of this rank that worked longest; over the parts of a run the sum of
  /// those.
  double busiest_seconds = 0;

  /// Of the run, from the first thread's begin to its end.
  [[nodiscard]] double seconds() const noexcept {
    return work_seconds + poll_seconds + search_seconds + idle_seconds;
  }
  /// Of all threads together.
  [[nodiscard]] double useful_seconds() const noexcept {
    return work_seconds + helpers_work_seconds;
  }
  void add(const PoolTimes& other) noexcept;
};

/// What this rank has done in a run. Trivially copyable, so that ranks can send it.
struct WorkPoolReport {
  std::uint64_t tasks = 0;
  std::uint64_t shared = 0;  ///< times that a thread gave others of its rank some of its tasks
  std::uint64_t naps = 0;    ///< times that the first thread slept, since nothing had come for long
  StealCounts stealing = {};
  int threads = 0;  ///< that have worked
  PoolTimes times = {};
  LatencyHistogram steal_latency = {};  ///< from asking a rank to its answer, with tasks or without

  /// Another part of the same run.
  void add(const WorkPoolReport& part) noexcept;
};

/// How far a rank is, as the first thread of it sees it; no other rank is asked.
struct PoolPulse {
  double seconds = 0;           ///< since this call of run() or run_until() began
  std::uint64_t tasks = 0;      ///< that all threads of this rank have done in it
  double tasks_per_second = 0;  ///< since the pulse before
  std::uint64_t waiting = 0;    ///< tasks of the first thread and those that threads share
  const StealNetwork* network = nullptr;

  /// One line for a report of a run that hangs: the numbers above, and the network's state.
  [[nodiscard]] std::string describe() const;
};

}  // namespace cairn::loadbalance
