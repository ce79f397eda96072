/// A run of a WorkPool on ranks that do not exist: real tasks, the StealMachine that also runs over
/// MPI, and a model of time.
///
///     const auto report = simulate<Node>({.ranks = 1024}, {}, roots, expand);
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "cairn/core/expects.hpp"
#include "cairn/loadbalance/priority_stack.hpp"
#include "cairn/loadbalance/process.hpp"
#include "cairn/loadbalance/steal_machine.hpp"
#include "cairn/loadbalance/steal_options.hpp"

namespace cairn::loadbalance {

/// What the ranks run on. One thread each.
struct SimulatedCluster {
  int ranks = 2;
  double latency_us = 2;     ///< from the end of a send to the begin of a receive; above 0
  double overhead_us = 0.5;  ///< of a core, for each message that is sent or received
  double task_ns = 100;
  int poll_tasks = 16;  ///< between two looks at the network
  double poll_ns = 0;   ///< of a core, for each look
};

/// What has happened. Times in seconds of the simulated clock.
struct SimulationReport {
  std::uint64_t tasks = 0;
  double work_seconds = 0;       ///< of all ranks together, on tasks
  double last_task_seconds = 0;  ///< when the last task was done
  double seconds = 0;            ///< when the last rank knew that all is over
  StealCounts stealing = {};     ///< of all ranks together
  std::vector<double> busy =
      {};  ///< shape [ranks × bins], the part of the time; empty without bins
  std::size_t bins = 0;

  [[nodiscard]] double efficiency(int ranks) const { return work_seconds / (ranks * seconds); }
  [[nodiscard]] double termination_seconds() const { return seconds - last_task_seconds; }
};

namespace detail {

/// Of all ranks. Ranks touch each other by messages alone, which take `latency`: so, within a
/// window of that length, each can be simulated on its own, in any order.
template <PoolTask T, typename Expand>
requires std::is_trivially_copyable_v<T>
class Simulation {
 public:
  Simulation(const SimulatedCluster& cluster, const StealOptions& stealing, Expand& expand)
      : expand_(expand),
        latency_(picoseconds(1e6 * cluster.latency_us)),
        overhead_(picoseconds(1e6 * cluster.overhead_us)),
        task_(picoseconds(1e3 * cluster.task_ns)),
        poll_(picoseconds(1e3 * cluster.poll_ns)),
        poll_tasks_(static_cast<std::size_t>(cluster.poll_tasks)),
        stealing_(stealing),
        task_us_(1e-3 * cluster.task_ns),
        most_tasks_(std::max<std::size_t>(1, stealing.most_bytes / sizeof(T))) {
    expects(cluster.ranks > 0 && latency_ > 0, "ranks, and a latency above 0");
    expects(cluster.poll_tasks > 0, "tasks between two looks at the network");
    std::vector<int> hosts;
    const int per_host = std::max(1, stealing.ranks_per_host);
    for (int r = 0; r < cluster.ranks; ++r) hosts.push_back(r / per_host);
    for (int r = 0; r < cluster.ranks; ++r) ranks_.push_back({.machine = {r, hosts, stealing}});
    next_.resize(ranks_.size(), 0);
  }

  /// The roots are rank 0's.
  SimulationReport run(std::span<const T> roots) {
    ranks_[0].stack.push_all(roots);
    for (Time window = 0; window != never; window = *std::ranges::min_element(next_)) {
      const Time end = window + latency_;
      for (std::size_t r = 0; r < ranks_.size(); ++r)
        while (next_[r] < end) step(r);
    }
    return report();
  }

  /// How busy each rank was in each of so many parts of the time.
  [[nodiscard]] std::vector<double> utilisation(std::size_t bins) const {
    std::vector<double> busy(ranks_.size() * bins);
    const double width = static_cast<double>(std::max<Time>(1, end_)) / static_cast<double>(bins);
    for (std::size_t r = 0; r < ranks_.size(); ++r) {
      for (const auto& [begin, end] : ranks_[r].work) {
        auto at = static_cast<double>(begin);
        while (at < static_cast<double>(end)) {
          const auto bin = std::min(bins - 1, static_cast<std::size_t>(at / width));
          const double next =
              std::min(static_cast<double>(end), width * static_cast<double>(bin + 1));
          busy[r * bins + bin] += (next - at) / width;
          at = bin + 1 == bins ? static_cast<double>(end) : std::max(next, at + 1);
        }
      }
    }
    return busy;
  }

 private:
  using Time = std::uint64_t;  // ps
  static constexpr Time never = std::numeric_limits<Time>::max();

  struct Arrival {
    Time time;
    StealMessage message;
    std::vector<T> tasks;
  };

  struct Rank {
    StealMachine machine;
    StackOf<T> stack = {};
    std::vector<Arrival> inbox = {};  // a heap, the earliest at the front
    std::uint64_t tasks = 0;
    Time free_at = 0;  // until then it is busy with what it has begun
    std::vector<std::pair<Time, Time>> work = {};
  };

  static Time picoseconds(double count) { return static_cast<Time>(std::llround(count)); }
  static bool is_later(const Arrival& a, const Arrival& b) {
    return a.time != b.time ? a.time > b.time : a.message.peer > b.message.peer;
  }

  /// What a rank does between two looks at the network.
  void step(std::size_t r) {
    Rank& rank = ranks_[r];
    Time now = next_[r];
    now = hear(r, now);
    now = serve(r, now);
    if (!rank.stack.empty()) {
      now = work(rank, now);
      rank.free_at = next_[r] = now;
      return;
    }
    rank.machine.be_still(0);
    now = send_all(r, now);
    rank.free_at = now;
    if (rank.machine.is_over()) {
      end_ = std::max(end_, now);
      next_[r] = never;
      return;
    }
    next_[r] = rank.inbox.empty() ? waits(rank, now) : std::max(now, rank.inbox.front().time);
  }

  /// A rank without others has the second wave at once.
  [[nodiscard]] Time waits(const Rank&, Time now) const { return ranks_.size() == 1 ? now : never; }

  Time work(Rank& rank, Time now) {
    const Time begin = now;
    Spawner<T> spawner(rank.stack);
    std::size_t count = 0;
    while (count < poll_tasks_ && !rank.stack.empty()) {
      const auto tasks = rank.stack.pop(std::min(poll_tasks_ - count, detail::tasks_at_once));
      count += tasks.size();
      expand_(tasks, spawner);
    }
    rank.tasks += count;
    now += count * task_ + poll_;
    last_task_ = std::max(last_task_, now);
    if (!rank.work.empty() && rank.work.back().second == begin) {
      rank.work.back().second = now;
    } else {
      rank.work.emplace_back(begin, now);
    }
    return now;
  }

  Time hear(std::size_t r, Time now) {
    Rank& rank = ranks_[r];
    while (!rank.inbox.empty() && rank.inbox.front().time <= now) {
      std::ranges::pop_heap(rank.inbox, is_later);
      const Arrival arrival = std::move(rank.inbox.back());
      rank.inbox.pop_back();
      now += overhead_;
      rank.machine.hear(arrival.message);
      rank.stack.push_all(arrival.tasks);
    }
    return now;
  }

  Time serve(std::size_t r, Time now) {
    Rank& rank = ranks_[r];
    now = send_all(r, now);
    const auto spare = [&] {
      std::vector<T> tasks;
      const double work_us = task_us_ * static_cast<double>(rank.stack.size());
      if (is_worth_sharing(work_us, stealing_)) rank.stack.split(most_tasks_, tasks);
      return tasks;
    };
    rank.machine.serve(spare, [&](const StealMessage& message, std::vector<T> tasks) {
      now = send(r, now, message, std::move(tasks));
    });
    return now;
  }

  Time send_all(std::size_t r, Time now) {
    if (!ranks_[r].machine.has_messages()) return now;
    for (const auto& message : ranks_[r].machine.take_messages()) now = send(r, now, message, {});
    return now;
  }

  Time send(std::size_t r, Time now, StealMessage message, std::vector<T> tasks) {
    now += overhead_;
    const auto to = static_cast<std::size_t>(message.peer);
    message.peer = static_cast<int>(r);
    bytes_ += tasks.size() * sizeof(T);
    auto& inbox = ranks_[to].inbox;
    inbox.push_back({now + latency_, message, std::move(tasks)});
    std::ranges::push_heap(inbox, is_later);
    // One that sleeps is woken; one that works looks by itself.
    if (ranks_[to].stack.empty() && !ranks_[to].machine.is_over())
      next_[to] = std::min(next_[to], std::max(ranks_[to].free_at, now + latency_));
    return now;
  }

  [[nodiscard]] SimulationReport report() const {
    SimulationReport report;
    for (const Rank& rank : ranks_) {
      const auto& counts = rank.machine.counts();
      report.tasks += rank.tasks;
      report.stealing.asked += counts.asked;
      report.stealing.asked_on_host += counts.asked_on_host;
      report.stealing.got += counts.got;
      report.stealing.gifts += counts.gifts;
      report.stealing.given += counts.given;
      report.stealing.messages += counts.messages;
      report.stealing.waves += counts.waves;
    }
    report.stealing.bytes_got = bytes_;
    report.work_seconds = 1e-12 * static_cast<double>(report.tasks * task_);
    report.last_task_seconds = 1e-12 * static_cast<double>(last_task_);
    report.seconds = 1e-12 * static_cast<double>(end_);
    return report;
  }

  Expand& expand_;
  Time latency_;
  Time overhead_;
  Time task_;
  Time poll_;
  std::size_t poll_tasks_;
  StealOptions stealing_;
  double task_us_;
  std::size_t most_tasks_;
  std::vector<Rank> ranks_;
  std::vector<Time> next_;  // when each rank does something
  Time last_task_ = 0;
  Time end_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace detail

/// Simulates one run. Local, pure: the same report for the same arguments.
///
/// @param roots   of rank 0
/// @param expand  called as expand(tasks, spawner) with at most `WorkPool::block` tasks
/// @param bins    parts of the time for the report's `busy`; 0: none
/// @par Cost  that of expanding all tasks, and about 100 ns for each look at the network
template <PoolTask T, typename Expand>
[[nodiscard]] SimulationReport simulate(const SimulatedCluster& cluster,
                                        const StealOptions& stealing, std::span<const T> roots,
                                        Expand expand, std::size_t bins = 0) {
  detail::Simulation<T, Expand> simulation(cluster, stealing, expand);
  auto report = simulation.run(roots);
  report.bins = bins;
  if (bins > 0) report.busy = simulation.utilisation(bins);
  return report;
}

}  // namespace cairn::loadbalance
