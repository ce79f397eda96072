// What a pool tells about its time, its steals and itself.
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "../support/mpi_test.hpp"
#include "cairn/loadbalance/pool_metrics.hpp"
#include "cairn/loadbalance/work_pool.hpp"

using namespace cairn;
using namespace cairn::loadbalance;
using cairn::test::world;

namespace {

/// A binomial tree: 2^order nodes.
struct Node {
  int order = 0;
};

struct Count {
  std::uint64_t nodes = 0;
  void merge(const Count& other) { nodes += other.nodes; }
};

constexpr auto task_time = std::chrono::microseconds(50);

/// Takes at least task_time.
void visit(const Node& node, Spawner<Node>& spawner, Count& count) {
  ++count.nodes;
  for (int order = 0; order < node.order; ++order) spawner.push({order});
  std::this_thread::sleep_for(task_time);
}

std::vector<Node> root(int order) {
  if (world().rank() != 0) return {};
  return {{order}};
}

double wall(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

TEST_CASE("times are those of the run: no part is negative, all of them fit into threads × wall") {
  for (const int threads : {1, 3}) {
    CAPTURE(threads);
    WorkPool pool(world(), {.threads = threads});
    const auto begin = std::chrono::steady_clock::now();
    const auto all = pool.run<Node, Count>(root(10), visit);
    const double most = wall(begin);
    const auto& report = pool.report();
    const auto& times = report.times;
    CHECK(all.nodes == 1024);
    CHECK(report.threads == threads);
    for (const double part : {times.work_seconds, times.poll_seconds, times.search_seconds,
                              times.idle_seconds, times.helpers_work_seconds})
      CHECK(part >= 0);
    CHECK(times.seconds() > 0);
    CHECK(times.seconds() <= most);
    CHECK(times.helpers_work_seconds <= (threads - 1) * most);
    if (threads == 1) CHECK(times.helpers_work_seconds == 0);
    CHECK(times.busiest_seconds <= times.seconds() + 1e-9);
    CHECK(times.busiest_seconds * threads >= times.useful_seconds() - 1e-9);
    // Each task was slept for, in work.
    const double least =
        std::chrono::duration<double>(task_time).count() * static_cast<double>(report.tasks);
    CHECK(times.useful_seconds() >= least);
  }
}

TEST_CASE("each steal that was asked for is in the histogram once, also when a run is paused") {
  WorkPool pool(world());
  PartialRun<Node, Count> run{.tasks = root(10)};
  std::uint64_t asked = 0;
  for (bool is_over = false; !is_over;) {
    is_over = pool.run_until<Node, Count>(run, visit,
                                          [](const RankLook& rank) { return rank.tasks > 200; });
    const auto& report = pool.report();
    CHECK(report.steal_latency.count() == report.stealing.asked);
    CHECK(report.steal_latency.total_seconds <= report.times.seconds() + 1e-9);
    asked += report.stealing.asked;
  }
  const auto all = all_reduce(world(), asked);
  CHECK((all > 0) == (world().size() > 1));
  CHECK(pool.merged(run.results).nodes == 1024);
}

TEST_CASE("a pulse comes on every rank, with tasks that only grow, and says what the rank is at") {
  std::vector<PoolPulse> pulses;
  std::string last;
  WorkPool pool(world(), {.pulse =
                              [&](const PoolPulse& pulse) {
                                pulses.push_back(pulse);
                                last = pulse.describe();
                              },
                          .pulse_seconds = 0});
  CHECK(pool.run<Node, Count>(root(9), visit).nodes == 512);
  CHECK(!pulses.empty());
  bool grows = true;
  for (std::size_t i = 1; i < pulses.size(); ++i)
    grows = grows && pulses[i].tasks >= pulses[i - 1].tasks &&
            pulses[i].seconds >= pulses[i - 1].seconds;
  CHECK(grows);
  if (!pulses.empty()) CHECK(pulses.back().tasks <= pool.report().tasks);
  CHECK(last.find("tasks done") != std::string::npos);
  CHECK(last.find("sends under way") != std::string::npos);
}

TEST_CASE("a pulse counts the tasks of all threads") {
  std::uint64_t last = 0;
  WorkPool pool(world(), {.threads = 2,
                          .pulse = [&](const PoolPulse& pulse) { last = pulse.tasks; },
                          .pulse_seconds = 0});
  CHECK(pool.run<Node, Count>(root(9), visit).nodes == 512);
  // The run is over when all threads are still, and the last pulse comes after that.
  CHECK(last == pool.report().tasks);
}

TEST_CASE("reports of all ranks come in their order, and their metrics are metrics") {
  WorkPool pool(world(), {.threads = 2});
  (void)pool.run<Node, Count>(root(9), visit);
  const auto reports = gather_reports(world(), pool.report());
  CHECK(reports.size() == static_cast<std::size_t>(world().size()));
  const auto& mine = reports.at(static_cast<std::size_t>(world().rank()));
  CHECK(mine.tasks == pool.report().tasks);
  CHECK(mine.times.seconds() == pool.report().times.seconds());
  const auto metrics = metrics_of(reports);
  CHECK(metrics.total.tasks == 512);
  CHECK(metrics.ranks == world().size());
  CHECK(metrics.threads == 2 * world().size());
  for (const double value :
       {metrics.load_balance, metrics.communication_efficiency, metrics.parallel_efficiency}) {
    CHECK(value > 0);
    CHECK(value <= 1 + 1e-9);
  }
}
