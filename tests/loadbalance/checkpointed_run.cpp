// A run that ends in the middle, and goes on from its last cut on other ranks and threads.
#include "cairn/loadbalance/checkpointed_run.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
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

constexpr int order = 12;

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

/// Cuts every 300 tasks. Ends at the task `until`, if one is named.
template <typename Task>
std::optional<Seen> run(const Communicator& comm, const std::string& folder, int threads,
                        std::optional<std::uint64_t> until) {
  ckpt::Checkpointer ckpt(comm, {.directory = folder, .every = 1, .program = "test"});
  WorkPool pool(comm, {.threads = threads, .stealing = {.least_work_us = 0}});
  CheckpointedRun<Task, Seen> cuts(ckpt);
  std::vector<Task> roots(comm.is_root() ? 1 : 0);
  for (Task& root : roots) root.order = order;
  const auto cut = cuts.restore_or(comm, roots);
  if (!until) CHECK(cut.value_or(0) > 0);
  const auto visit = [&](const Task& task, Spawner<Task>& spawner, Seen& seen) {
    if (until && task.first == *until) throw Error(Errc::interrupted, "the job is killed");
    if (!is_right(task)) throw Error(Errc::bad_data, "a task is not what it was");
    seen.add(task.first);
    for (int its_order = 0; its_order < task.order; ++its_order)
      spawner.push(child_of(task, its_order));
  };
  try {
    const bool is_over = cuts.advance(pool, visit, {.every_tasks = 300});
    CHECK(is_over);
  } catch (const Error& error) {
    CHECK(error.code() == Errc::interrupted);
    return std::nullopt;
  }
  return pool.merged(cuts.state().results);
}

}  // namespace

TEST_CASE_TEMPLATE("everything once, after ends in the middle, on fewer ranks and on more", Task,
                   Plain, Listed) {
  const test::SharedScratch scratch;
  const auto folder = scratch / "cuts";
  const auto half = world().split(world().rank() % 2 == 0 ? 1 : 0);
  int ends = 0;
  // Where each launch ends, unless that task is done: late ones are not begun before a cut.
  for (const std::uint64_t until : std::array<std::uint64_t, 4>{4000, 1234, 3071, 5}) {
    const bool has_half = ends % 2 == 1;
    if (!has_half || world().rank() % 2 == 0) {
      const auto whole = run<Task>(has_half ? half : world(), folder, 1 + ends % 3, until);
      if (ends == 0) CHECK(!whole);  // nothing was done before
    }
    ++ends;
  }
  CHECK(run<Task>(world(), folder, 2, std::nullopt) == test::numbers(1 << order));
}
