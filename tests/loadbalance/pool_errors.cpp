// What ends a pool's run on all ranks, whoever has seen it, and what does not.
#include <array>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "cairn/core/error.hpp"
#include "cairn/loadbalance/work_pool.hpp"
#include "mpi_test.hpp"
#include "numbers.hpp"

using namespace cairn;
using namespace cairn::loadbalance;
using cairn::test::Seen;
using cairn::test::world;

namespace {

/// So long that other ranks have time to ask for some.
template <typename Task>
void see(const Task&, Spawner<Task>&, Seen& seen) {
  std::this_thread::sleep_for(std::chrono::microseconds(500));
  seen.add(0);
}

template <typename Task>
void check_small_tasks(const Task& task) {
  WorkPool pool(world(), {.stealing = {.least_work_us = 0, .largest_task_bytes = 1000}});
  const std::vector<Task> mine(world().is_root() ? 400 : 0, task);
  CHECK(pool.run<Task, Seen>(mine, see<Task>).count == 400);
  const auto bytes = all_reduce(world(), pool.report().stealing.bytes_got);
  if (world().size() > 1) CHECK(bytes > 0);
}

}  // namespace

TEST_CASE("many small tasks are no large one, however long their message") {
  check_small_tasks(std::array<char, 100>{});
  check_small_tasks(std::string(90, 'x'));
}
