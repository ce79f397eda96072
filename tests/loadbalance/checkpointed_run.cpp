// A run that ends in the middle, and goes on from its last cut on other ranks and threads.
#include "cairn/loadbalance/checkpointed_run.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/core/error.hpp"
#include "mpi_test.hpp"
#include "numbers.hpp"
#include "shared_scratch.hpp"

using namespace cairn;
using namespace cairn::loadbalance;
using cairn::test::Seen;
using cairn::test::world;

namespace {

constexpr int order = 14;

/// A node of a binomial tree, which has 2^order of them.
struct Plain {
  std::uint64_t first = 0;
  int order = 0;
  char rest = 'r';
};

/// The same, with members that have no fixed size.
struct Listed {
  std::uint64_t first = 0;
  int order = 0;
  std::string rest = {};
  std::vector<std::vector<std::uint64_t>> ancestors = {};
};

}  // namespace

template <>
inline constexpr auto cairn::members_of<Listed> =
    cairn::Members<&Listed::first, &Listed::order, &Listed::rest, &Listed::ancestors>{};

namespace {

Plain child_of(const Plain& parent, int its_order) {
  return {parent.first + (std::uint64_t{1} << its_order), its_order, parent.rest};
}

Listed child_of(const Listed& parent, int its_order) {
  Listed child{parent.first + (std::uint64_t{1} << its_order), its_order,
               std::string(static_cast<std::size_t>(its_order), 'x'), parent.ancestors};
  child.ancestors.push_back({parent.first});
  return child;
}

bool is_right(const Plain& task) { return task.rest == 'r'; }
bool is_right(const Listed& task) {
  std::uint64_t before = 0;
  for (const auto& ancestor : task.ancestors) {
    if (ancestor.size() != 1 || ancestor[0] < before) return false;
    before = ancestor[0];
  }
  return task.first == 0 || task.rest.size() == static_cast<std::size_t>(task.order);
}

/// So long that a rank looks at the clock before it has done its share of a cut.
void take_some_time() {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(3);
  while (std::chrono::steady_clock::now() < end) continue;
}

/// Cuts every 2000 tasks. One that is killed ends at a task behind its first cut.
template <typename Task>
std::optional<Seen> run(const Communicator& comm, const std::string& folder, Policy policy,
                        int threads, bool is_killed) {
  ckpt::Checkpointer ckpt(comm, {.directory = folder, .every = 1, .program = "test"});
  const bool steals = policy == Policy::stealing;
  WorkPool pool(comm, {.threads = threads, .stealing = {.steals = steals, .least_work_us = 0}});
  CheckpointedRun<Task, Seen> cuts(ckpt);
  std::vector<Task> roots(comm.is_root() ? 1 : 0);
  for (Task& root : roots) root.order = order;
  const auto cut = cuts.restore_or(comm, roots);
  if (!is_killed) CHECK(cut.value_or(0) > 0);
  const auto visit = [&](const Task& task, Spawner<Task>& spawner, Seen& seen) {
    if (is_killed && cuts.cut() > cut.value_or(0))
      throw Error(Errc::interrupted, "the job is killed");
    take_some_time();
    if (!is_right(task)) throw Error(Errc::bad_data, "a task is not what it was");
    seen.add(task.first);
    for (int its_order = 0; its_order < task.order; ++its_order)
      spawner.push(child_of(task, its_order));
  };
  try {
    const auto weight = [](const Task& task) {
      return static_cast<double>(std::uint64_t{1} << task.order);
    };
    const bool is_over = cuts.advance(pool, visit, {.every_tasks = 2000},
                                      {.policy = policy, .weight = weight, .seeds_per_rank = 10});
    CHECK(is_over);
    if (!steals) CHECK(cuts.report().stealing.asked == 0);
  } catch (const Error& error) {
    CHECK(error.code() == Errc::interrupted);
    return std::nullopt;
  }
  return pool.merged(cuts.state().results);
}

template <typename Task>
void check_launches(const std::array<Policy, 5>& policies) {
  const test::SharedScratch scratch;
  const auto folder = scratch / "cuts";
  const auto half = world().split(world().rank() % 2 == 0 ? 1 : 0);
  const auto policy_of = [&](int launch) { return policies[static_cast<std::size_t>(launch)]; };
  for (int launch = 0; launch < 4; ++launch) {
    const bool has_half = launch % 2 == 1;
    if (has_half && world().rank() % 2 != 0) continue;
    const auto whole =
        run<Task>(has_half ? half : world(), folder, policy_of(launch), 1 + launch % 3, true);
    if (launch == 0) CHECK(!whole);  // others may come to the end before a cut
  }
  CHECK(run<Task>(world(), folder, policy_of(4), 2, false) == test::numbers(1 << order));
}

}  // namespace

TEST_CASE_TEMPLATE("everything once, after ends in the middle, on fewer ranks and on more", Task,
                   Plain, Listed) {
  using enum Policy;
  check_launches<Task>({stealing, stealing, stealing, stealing, stealing});
  check_launches<Task>({block, weighted, random, stealing, repartition});
  check_launches<Task>({repartition, round_robin, weighted, repartition, block});
}

TEST_CASE("who has run out gets some of what is left") {
  ckpt::Checkpointer ckpt(world(), {.program = "test"});
  WorkPool pool(world(), {.stealing = {.steals = false}});
  CheckpointedRun<Plain, Seen> run(ckpt);
  std::vector<Plain> roots(world().is_root() ? 1 : 0);
  for (Plain& root : roots) root.order = order;
  (void)run.restore_or(world(), roots);
  const auto visit = [&](const Plain& task, Spawner<Plain>& spawner, Seen& seen) {
    if (world().is_root()) std::this_thread::sleep_for(std::chrono::microseconds(50));
    seen.add(task.first);
    for (int its_order = 0; its_order < task.order; ++its_order)
      spawner.push(child_of(task, its_order));
  };
  CHECK(run.advance(pool, visit, {}, {.policy = Policy::repartition}));
  CHECK(pool.merged(run.state().results) == test::numbers(1 << order));
  CHECK(run.tasks_done() == std::uint64_t{1} << order);
  if (world().size() > 1) CHECK(run.deals() > 0);
}
