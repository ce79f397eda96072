/// What a running pool knows of its own time: pool_run.hpp uses it.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>

#include "cairn/loadbalance/pool_report.hpp"

namespace cairn::loadbalance::detail {

using PoolTime = std::chrono::steady_clock::time_point;

inline double seconds_of(std::chrono::nanoseconds time) noexcept {
  return std::chrono::duration<double>(time).count();
}

enum class PoolState : std::uint8_t { work, poll, search, idle };

/// Where the first thread of a rank spends its time: all of it, divided at borders where the clock
/// is looked at anyhow.
class PoolClock {
 public:
  /// The last border.
  [[nodiscard]] PoolTime now() const noexcept { return now_; }
  [[nodiscard]] double seconds() const noexcept { return seconds_of(now_ - begin_); }

  /// Since the last border it was in that state.
  void spent(PoolState state) noexcept {
    const auto now = std::chrono::steady_clock::now();
    spent_[static_cast<std::size_t>(state)] += now - now_;
    now_ = now;
  }

  /// Of the first thread alone.
  [[nodiscard]] PoolTimes times() const noexcept {
    const auto of = [this](PoolState state) {
      return seconds_of(spent_[static_cast<std::size_t>(state)]);
    };
    return {.work_seconds = of(PoolState::work),
            .poll_seconds = of(PoolState::poll),
            .search_seconds = of(PoolState::search),
            .idle_seconds = of(PoolState::idle)};
  }

 private:
  PoolTime begin_ = std::chrono::steady_clock::now();
  PoolTime now_ = begin_;
  std::array<std::chrono::nanoseconds, 4> spent_{};
};

/// What a thread has done so far. It writes, at borders; the first thread reads.
class alignas(128) WorkMeter {
 public:
  void begin(PoolTime now) noexcept { since_.store(ns_of(now), relaxed); }
  void end(PoolTime begin, PoolTime now, std::uint64_t tasks) noexcept {
    work_ns_.store(work_ns_.load(relaxed) + (now - begin).count(), relaxed);
    since_.store(0, relaxed);
    tasks_.store(tasks, relaxed);
  }

  /// With the stretch of work that it is at: right up to one stretch of work, since it may go on
  /// meanwhile.
  [[nodiscard]] double work_seconds(PoolTime now) const noexcept {
    const auto since = since_.load(relaxed);
    const auto more = since != 0 && since < ns_of(now) ? ns_of(now) - since : 0;
    return 1e-9 * static_cast<double>(work_ns_.load(relaxed) + more);
  }
  [[nodiscard]] std::uint64_t tasks() const noexcept { return tasks_.load(relaxed); }

 private:
  static constexpr auto relaxed = std::memory_order_relaxed;
  static std::int64_t ns_of(PoolTime time) noexcept {
    return std::chrono::nanoseconds(time.time_since_epoch()).count();
  }

  std::atomic<std::int64_t> work_ns_{0};
  std::atomic<std::int64_t> since_{0};
  std::atomic<std::uint64_t> tasks_{0};
};

/// A rank's run in the trace (trace.hpp), if tracing is on: time is cut in slots, at least 1 ms and
/// a 500th of the run so far long, at most 100 ms, which end at the next border.
///
///     span     pool.work, pool.poll, pool.search, pool.idle
///              what the first thread did most in a slot (PoolTimes); equal neighbours are one span
///     counter  pool.busy               work of all threads in a slot, over threads · slot
///     counter  pool.steals_per_second  that brought tasks
class PoolTimeline {
 public:
  PoolTimeline() = default;  ///< of no run: nothing is due
  PoolTimeline(PoolTime begin, int threads);
  [[nodiscard]] bool is_due(PoolTime now) const noexcept { return now >= end_; }
  /// A slot ends. @param times  of the rank since the begin
  void add(PoolTime now, const PoolTimes& times, std::uint64_t steals);
  /// The run ends.
  void finish(PoolTime now, const PoolTimes& times, std::uint64_t steals);

 private:
  void write_span(PoolTime until) const;

  PoolTime begin_{};
  PoolTime slot_{};
  PoolTime end_ = PoolTime::max();  // of the slot; never, if tracing is off
  PoolTime span_{};
  PoolState state_ = PoolState::idle;
  double threads_ = 1;
  PoolTimes before_;
  std::uint64_t steals_before_ = 0;
  std::int64_t offset_ns_ = 0;  // from the pool's clock to the trace's
};

/// All of it together, of one rank in one run. The first thread uses it, but for the meters.
class PoolTelemetry {
 public:
  using Pulse = std::function<void(const PoolPulse&)>;

  /// @param pulse  may be empty; lives as long as this, as `network` does
  PoolTelemetry(const StealNetwork& network, int threads, const Pulse& pulse, double pulse_seconds);

  /// The run begins.
  void begin();

  /// Of a thread; the first thread is 0.
  [[nodiscard]] WorkMeter& meter(std::size_t thread) { return meters_[thread]; }

  [[nodiscard]] PoolTime now() const noexcept { return clock_.now(); }
  void spent(PoolState state) noexcept { clock_.spent(state); }

  /// Whether it is time for beat(), as of the last border.
  [[nodiscard]] bool is_due() const noexcept {
    return now() >= next_pulse_ || timeline_.is_due(now());
  }
  /// Writes into the trace, and calls `pulse`. @param waiting  tasks at hand
  void beat(std::uint64_t waiting);

  /// The run has ended, all threads but the first are gone. @param threads  that have worked
  void finish(int threads, WorkPoolReport& report);

 private:
  [[nodiscard]] PoolTimes times() const;
  void call_pulse(std::uint64_t waiting);

  const StealNetwork& network_;
  const Pulse& pulse_;
  std::chrono::nanoseconds between_pulses_;
  std::deque<WorkMeter> meters_;
  PoolClock clock_;
  PoolTimeline timeline_;
  PoolTime last_pulse_{};
  PoolTime next_pulse_ = PoolTime::max();
  std::uint64_t tasks_at_pulse_ = 0;
};

}  // namespace cairn::loadbalance::detail
