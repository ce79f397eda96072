// The simulated pool: every task once on any number of ranks, times that can be worked out by hand,
// and the same report for the same arguments.
#include "cairn/loadbalance/steal_simulation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

using namespace cairn::loadbalance;

namespace {

/// A binomial tree of that order has 2^order nodes.
struct Node {
  int order = 0;
};

/// Counts them beside the simulation's own count.
struct Grow {
  std::uint64_t* nodes;
  void operator()(std::span<const Node> tasks, Spawner<Node>& spawner) const {
    const std::vector<Node> copies(tasks.begin(), tasks.end());
    for (const Node& node : copies) {
      ++*nodes;
      for (int order = 0; order < node.order; ++order) spawner.push({order});
    }
  }
};

SimulationReport grow(const SimulatedCluster& cluster, int order, std::size_t bins = 0) {
  std::uint64_t nodes = 0;
  const Node root{order};
  const auto report = simulate<Node>(cluster, {}, std::span(&root, 1), Grow{&nodes}, bins);
  CHECK(nodes == report.tasks);
  return report;
}

}  // namespace

TEST_CASE("every task is done once on any number of ranks") {
  for (const int ranks : {1, 2, 3, 4, 7, 64, 1000})
    CHECK(grow({.ranks = ranks}, 14).tasks == std::uint64_t{1} << 14);
}

TEST_CASE("one rank takes as long as its tasks, and the looks that it takes") {
  const auto report = grow({.ranks = 1, .task_ns = 100, .poll_tasks = 1, .poll_ns = 20}, 10);
  CHECK(report.seconds == doctest::Approx(1024 * 120e-9).epsilon(1e-12));
  CHECK(report.efficiency(1) == doctest::Approx(100.0 / 120));
  CHECK(report.termination_seconds() == doctest::Approx(0));
}

TEST_CASE("two ranks: never faster than half, and the end within two waves there and back") {
  const SimulatedCluster cluster{.ranks = 2, .latency_us = 2, .overhead_us = 0.5, .task_ns = 100};
  const auto report = grow(cluster, 16);
  CHECK(report.seconds >= 65536 * 100e-9 / 2);
  CHECK(report.efficiency(2) > 0.95);
  // Four tries in vain and the request to be remembered take 22 us, a wave there and back 6.
  CHECK(report.termination_seconds() < 22e-6 + 4 * 6e-6);
}

TEST_CASE("a rank that works hears nobody, and does nothing else, before it is done with that") {
  for (const int poll_tasks : {1, 100, 5000, 1 << 20}) {
    const auto report = grow({.ranks = 3, .poll_tasks = poll_tasks}, 14, 20);
    CHECK(report.efficiency(3) <= 1);
    CHECK(report.termination_seconds() > 0);
    CHECK(std::ranges::max(report.busy) <= doctest::Approx(1));
  }
  // All at once: the others get nothing, and hear of the end after the last task.
  const auto alone = grow({.ranks = 3, .poll_tasks = 1 << 20}, 14);
  CHECK(alone.last_task_seconds == doctest::Approx((1 << 14) * 100e-9));
  CHECK(alone.efficiency(3) < 1.0 / 3);
}

TEST_CASE("the same arguments give the same report, other seeds another one") {
  const auto once = grow({.ranks = 33}, 15);
  const auto twice = grow({.ranks = 33}, 15);
  CHECK(once.seconds == twice.seconds);
  CHECK(once.stealing == twice.stealing);
  std::uint64_t nodes = 0;
  const Node root{15};
  const auto other = simulate<Node>({.ranks = 33}, {.seed = 7}, std::span(&root, 1), Grow{&nodes});
  CHECK(other.tasks == once.tasks);
  CHECK(other.stealing.messages != once.stealing.messages);
}

TEST_CASE("what the picture shows adds up to the work") {
  const auto report = grow({.ranks = 5}, 12, 40);
  CHECK(report.busy.size() == 5 * 40);
  double sum = 0;
  for (const double part : report.busy) {
    CHECK(part >= 0);
    CHECK(part <= doctest::Approx(1));
    sum += part;
  }
  CHECK(sum * report.seconds / 40 == doctest::Approx(report.work_seconds).epsilon(1e-3));
}
