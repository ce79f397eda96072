/// One thread of a WorkPool's run, on its own: work_pool.hpp is what programs include.
#pragma once

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "cairn/core/error.hpp"
#include "cairn/loadbalance/pool_telemetry.hpp"
#include "cairn/loadbalance/priority_stack.hpp"
#include "cairn/loadbalance/process.hpp"

namespace cairn::loadbalance::detail {

/// By a description that a program makes, and that may throw.
template <PoolTask T>
std::string name_of(const T& task) {
  try {
    return description_of(task);
  } catch (const std::exception& error) {
    return std::string("(without description: ") + error.what() + ")";
  } catch (...) {
    return "(without description)";
  }
}

/// A request to stop is nothing that a task or a pulse has done wrong.
inline bool is_request(Errc code) { return code == Errc::run_again || code == Errc::interrupted; }

/// Of the exception that is being handled: a task has thrown it, or one of count - 1 with it.
template <PoolTask T>
Error error_of_task(const T& task, std::size_t count) {
  const auto named = [&](Errc code, const char* what) {
    const auto others = count == 1 ? "" : " or one of " + std::to_string(count - 1) + " with it";
    return Error(code, is_request(code) ? std::string(what)
                                        : "task " + name_of(task) + others + " failed: " + what);
  };
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return named(Errc::unavailable, "out of memory");
  } catch (const std::exception& error) {
    const auto* const known = dynamic_cast<const Error*>(&error);
    return named(known != nullptr ? known->code() : Errc::internal, error.what());
  } catch (...) {
    return named(Errc::internal, "of an exception of an unknown kind");
  }
}

/// Its tasks and its results, which no other thread touches while it works.
template <PoolTask T, Accumulator A, typename Process>
class alignas(128) PoolWorker {
 public:
  using Clock = std::chrono::steady_clock;

  /// What it does between two looks at the clock takes about so long at most, unless one task does.
  static constexpr std::chrono::microseconds longest_turn{10};

  PoolWorker(const Process& work, WorkMeter& meter) : process_(work), meter_(meter) {}

  /// Works on the youngest tasks until `span` has passed or none is left, and calls `between()`
  /// every now and then.
  template <typename Between>
  void work(Clock::duration span, Between between) {
    if (stack.empty()) return;
    const auto begin = Clock::now();
    auto before = begin;
    meter_.begin(begin);
    while (before < begin + span && !stack.empty()) {
      const std::size_t done = take_turn();
      const auto after = Clock::now();
      adapt(done, after - before);
      before = after;
      between();
    }
    meter_.end(begin, before, tasks_);
  }

  [[nodiscard]] std::uint64_t tasks() const noexcept { return tasks_; }  ///< done

  /// What a task has thrown since the last call; the others of this thread are dropped then.
  [[nodiscard]] std::optional<Error> take_error() { return std::exchange(error_, std::nullopt); }

  StackOf<T> stack;
  A results{};

 private:
  static constexpr std::size_t most_tasks = 256;  // a turn
  static constexpr std::size_t tasks_a_tick = 16;

  /// Up to pace_ tasks. If these take much longer than those of the last turn did, so that the
  /// system's clock ticks meanwhile, no more than a few behind that.
  std::size_t take_turn() {
    std::size_t done = 0;
    const auto tick = ticks();
    for (std::size_t look = tasks_a_tick; done < pace_ && !stack.empty();) {
      done += process_some();
      if (done < look) continue;
      if (ticks() != tick) break;
      look = done + tasks_a_tick;
    }
    tasks_ += done;
    return done;
  }

  /// Of the system's clock, each some milliseconds: a look takes a fifth of that at a better one.
  static std::int64_t ticks() noexcept {
#if defined(CLOCK_MONOTONIC_COARSE)
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return std::int64_t{time.tv_sec} * 1000000000 + time.tv_nsec;
#else
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch())
        .count();
#endif
  }

  /// A turn of `done` tasks has taken so long: the next one fits, if its tasks are like those of
  /// the last.
  void adapt(std::size_t done, Clock::duration took) {
    pace_ = took <= longest_turn
                ? std::min(2 * pace_, most_tasks)
                : std::max<std::size_t>(1, static_cast<std::size_t>(longest_turn * done / took));
  }

  /// How many.
  std::size_t process_some() {
    Spawner<T> spawner(stack);
    if constexpr (BlockProcess<Process, T, A>) {
      const std::span<const T> tasks = stack.pop(std::min(tasks_at_once, pace_));
      const std::size_t count = tasks.size();
      const T first = tasks.front();
      guard(first, count, [&] { process_(tasks, spawner, results); });
      return count;
    } else {
      T task = stack.pop();
      guard(task, 1, [&] { process_(task, spawner, results); });
      return 1;
    }
  }

  /// What a task throws names it.
  template <typename Call>
  void guard(const T& task, std::size_t count, Call call) {
    try {
      return call();
    } catch (...) {
      stack.clear();
      error_.emplace(error_of_task(task, count));
    }
  }

  Process process_;
  WorkMeter& meter_;
  std::uint64_t tasks_ = 0;
  std::size_t pace_ = 1;  // tasks a turn, fewer of long ones
  std::optional<Error> error_;
};

}  // namespace cairn::loadbalance::detail
