// How much a thread of a pool does between two looks at others.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>

#include "cairn/loadbalance/work_pool.hpp"
#include "mpi_test.hpp"
#include "numbers.hpp"

using namespace cairn;
using namespace cairn::loadbalance;
using cairn::test::Seen;
using cairn::test::world;

namespace {

/// Of a chain: so many follow.
struct Link {
  std::uint64_t number = 0;
  int left = 0;
};

}  // namespace

TEST_CASE("long tasks behind many short ones are not done in one go") {
  // A chain of short tasks, the last of which leaves long ones.
  constexpr int length = 5000;
  constexpr std::uint64_t long_ones = 120;
  std::uint64_t done = 0;  // of the long ones
  const auto visit_chain = [&done](const Link& link, Spawner<Link>& spawner, Seen& seen) {
    seen.add(link.number);
    if (link.left > 1) return spawner.push({link.number + 1, link.left - 1});
    if (link.left == 1) {
      for (std::uint64_t i = 1; i <= long_ones; ++i) spawner.push({link.number + i, 0});
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ++done;
  };
  WorkPool pool(world(), {.threads = 1, .stealing = {.steals = false}});
  PartialRun<Link, Seen> run{.tasks = {{0, length}}};
  std::uint64_t most_between_looks = 0;
  std::uint64_t before = 0;
  CHECK(pool.run_until<Link, Seen>(run, visit_chain, [&](const RankLook&) {
    most_between_looks = std::max(most_between_looks, done - before);
    before = done;
    return false;
  }));
  CHECK(done == long_ones);
  CHECK(most_between_looks <= 40);  // a tick of the clock is 10 ms at most
}
