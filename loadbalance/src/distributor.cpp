#include "cairn/loadbalance/distributor.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/expects.hpp"
#include "cairn/loadbalance/repartition.hpp"
#include "cairn/loadbalance/schedule.hpp"
#include "cairn/loadbalance/work_pool.hpp"

namespace cairn::loadbalance {

namespace {

using Work = Distributor::Work;

/// A number of the caller's.
struct Task {
  std::uint32_t number = 0;
};
std::string describe(const Task& task) { return std::to_string(task.number); }

void do_named(const Work& work, const Task& task, int thread) {
  try {
    work(task.number, thread);
  } catch (...) {
    throw detail::error_of_task(task, 1);
  }
}

/// Of a schedule that gives each worker a range.
Ranges ranges_of(const Schedule& schedule, int workers) {
  Ranges ranges(static_cast<std::size_t>(workers) + 1);
  for (const int worker : schedule) ++ranges[static_cast<std::size_t>(worker) + 1];
  std::partial_sum(ranges.begin(), ranges.end(), ranges.begin());
  return ranges;
}

Schedule schedule_of(const Ranges& ranges) {
  Schedule schedule(static_cast<std::size_t>(ranges.back()));
  for (std::size_t worker = 0; worker + 1 < ranges.size(); ++worker)
    std::fill(schedule.begin() + ranges[worker], schedule.begin() + ranges[worker + 1],
              static_cast<int>(worker));
  return schedule;
}

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// What a thread has done of a schedule.
struct Share {
  std::uint64_t tasks = 0;
  double seconds = 0;
};

/// Each thread of this rank does what the schedule says. Shape [threads].
std::vector<Share> shares_of(const Schedule& schedule, int first_worker, int threads,
                             const Work& work) {
  const auto do_share = [&](int thread) {
    const auto start = Clock::now();
    Share share;
    for (std::size_t task = 0; task < schedule.size(); ++task)
      if (schedule[task] == first_worker + thread) {
        do_named(work, {static_cast<std::uint32_t>(task)}, thread);
        ++share.tasks;
      }
    share.seconds = seconds_since(start);
    return share;
  };
  std::vector<std::future<Share>> others;
  for (int thread = 1; thread < threads; ++thread)
    others.push_back(std::async(std::launch::async, do_share, thread));
  std::vector<Share> shares{do_share(0)};
  for (auto& other : others) shares.push_back(other.get());
  return shares;
}

WorkPoolReport report_of(const std::vector<Share>& shares, double seconds) {
  WorkPoolReport report{.threads = static_cast<int>(shares.size())};
  report.times.work_seconds = shares[0].seconds;
  report.times.idle_seconds = seconds - shares[0].seconds;
  for (const Share& share : shares) {
    report.tasks += share.tasks;
    report.times.helpers_work_seconds += share.seconds;
    report.times.busiest_seconds = std::max(report.times.busiest_seconds, share.seconds);
  }
  report.times.helpers_work_seconds -= shares[0].seconds;
  return report;
}

/// The pool's results: `work` keeps them.
struct Nothing {
  void merge(const Nothing&) {}
};

/// What a thread of the pool does, which has a copy of its own: so it learns its number.
class Numbered {
 public:
  Numbered(const Work& work, std::atomic<int>& next_thread)
      : work_(&work), next_thread_(&next_thread) {}

  void operator()(const Task& task, const Spawner<Task>&, Nothing&) {
    if (thread_ < 0) thread_ = (*next_thread_)++;
    (*work_)(task.number, thread_);
  }

 private:
  const Work* work_;
  std::atomic<int>* next_thread_;
  int thread_ = -1;
};

WorkPoolReport steal(const Communicator& comm, int threads, std::size_t tasks, const Work& work) {
  WorkPool pool(comm, {.threads = threads});
  std::vector<Task> mine;
  together(comm, [&] {
    const auto owners = block_schedule(tasks, comm.size());
    for (std::size_t task = tasks; task > 0; --task)  // the first one is on top
      if (owners[task - 1] == comm.rank()) mine.push_back({static_cast<std::uint32_t>(task - 1)});
  });
  std::atomic<int> next_thread{0};
  pool.run<Task, Nothing>(mine, Numbered(work, next_thread));
  return pool.report();
}

}  // namespace

void Distributor::run(std::size_t tasks, std::span<const double> weights, const Work& work) {
  expects(tasks <= std::size_t{1} << 32, "at most 2^32 tasks");
  if (policy_ == Policy::stealing) return report_.add(steal(*comm_, threads_, tasks, work));
  if (policy_ == Policy::repartition) return repartition(tasks, work);
  follow(together(*comm_,
                  [&] { return schedule_of(policy_, tasks, weights, comm_->size() * threads_); }),
         work);
}

void Distributor::follow(const Schedule& schedule, const Work& work) {
  const auto start = Clock::now();
  const auto shares = together(
      *comm_, [&] { return shares_of(schedule, comm_->rank() * threads_, threads_, work); });
  report_.add(report_of(shares, seconds_since(start)));
}

void Distributor::repartition(std::size_t tasks, const Work& work) {
  const int workers = comm_->size() * threads_;
  std::vector<std::int64_t> taken;
  Ranges ranges;
  together(*comm_, [&] {
    taken.resize(tasks);
    // Nothing has to be moved: what is drawn anew has no home.
    if (nanoseconds_.size() == tasks && tasks > 0) {
      ranges = loadbalance::repartition(nanoseconds_, ranges_, {.bytes_per_object = 0}).ranges;
    } else {
      ranges = ranges_of(block_schedule(tasks, workers), workers);
    }
  });
  const auto schedule = together(*comm_, [&] { return schedule_of(ranges); });
  follow(schedule, [&](std::size_t task, int thread) {
    const auto start = Clock::now();
    work(task, thread);
    taken[task] = std::chrono::nanoseconds(Clock::now() - start).count();
  });
  all_reduce(*comm_, std::span<std::int64_t>(taken));  // who has not done it has 0
  // Both of the same call, one that has ended well.
  ranges_ = std::move(ranges);
  nanoseconds_ = std::move(taken);
}

}  // namespace cairn::loadbalance
