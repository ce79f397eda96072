// The best value so far, between threads and ranks; and tasks by priority.
#include "cairn/loadbalance/incumbent.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "../support/mpi_test.hpp"
#include "cairn/core/error.hpp"
#include "cairn/loadbalance/work_pool.hpp"

using namespace cairn;
using namespace cairn::loadbalance;
using cairn::test::world;

namespace {

template <typename Best, typename T>
void check_order(const std::vector<T>& from_worst_to_best) {
  for (std::size_t i = 0; i < from_worst_to_best.size(); ++i) {
    CHECK(Best::value_of(Best::key_of(from_worst_to_best[i])) == from_worst_to_best[i]);
    if (i == 0) continue;
    CHECK(Best::key_of(from_worst_to_best[i - 1]) < Best::key_of(from_worst_to_best[i]));
    Best best(from_worst_to_best[i - 1]);
    CHECK(best.offer(from_worst_to_best[i]));
    CHECK_FALSE(best.offer(from_worst_to_best[i]));
    CHECK_FALSE(best.offer(from_worst_to_best[i - 1]));
    CHECK(best.value() == from_worst_to_best[i]);
  }
}

/// A node of a binary tree, whose value is its number turned about.
struct Node {
  std::uint32_t number = 1;
};
constexpr std::uint32_t nodes = 1U << 15;
std::int64_t value_of(std::uint32_t number) { return number * std::int64_t{40503} % 65536; }

struct Found {
  std::uint64_t count = 0;
  std::int64_t best = 0;
  std::uint64_t worse = 0;  ///< looks at an incumbent that had fallen
  std::int64_t least_seen = std::numeric_limits<std::int64_t>::max();
  void merge(const Found& other) {
    count += other.count;
    best = std::max(best, other.best);
    worse += other.worse;
    least_seen = std::min(least_seen, other.least_seen);
  }
};

auto search(Incumbent<std::int64_t>& best) {
  return [&best, known = std::int64_t{0}](const Node& node, Spawner<Node>& spawner,
                                          Found& found) mutable {
    const auto now = best.value();
    if (now < known) ++found.worse;
    known = now;
    found.least_seen = std::min(found.least_seen, now);
    ++found.count;
    found.best = std::max(found.best, value_of(node.number));
    best.offer(value_of(node.number));
    if (2 * node.number < nodes) spawner.push({2 * node.number});
    if (2 * node.number + 1 < nodes) spawner.push({2 * node.number + 1});
  };
}

std::int64_t best_of_all() {
  std::int64_t best = 0;
  for (std::uint32_t number = 1; number < nodes; ++number) best = std::max(best, value_of(number));
  return best;
}

std::vector<Node> root() {
  return world().rank() == 0 ? std::vector<Node>{{}} : std::vector<Node>{};
}

}  // namespace

TEST_CASE("what is better, for all kinds of values") {
  check_order<Incumbent<int>>(std::vector{-2000000000, -1, 0, 1, 2000000000});
  check_order<Incumbent<int, Goal::smallest>>(std::vector{2000000000, 1, 0, -1, -2000000000});
  check_order<Incumbent<std::uint64_t>>(
      std::vector<std::uint64_t>{0, 1, std::uint64_t{1} << 63, std::uint64_t{0} - 1});
  const double inf = std::numeric_limits<double>::infinity();
  check_order<Incumbent<double>>(std::vector{-inf, -1e300, -1.5, -1e-300, 0.0, 1e-300, 2.5, inf});
  check_order<Incumbent<double, Goal::smallest>>(std::vector{inf, 7.0, 1e-9, -1e-9, -7.0, -inf});
}

TEST_CASE("threads that offer at once: each improvement is told to one of them") {
  Incumbent<int> best(0);
  constexpr int threads = 4;
  constexpr int values = 20000;
  std::vector<std::vector<int>> improvements(threads);
  std::vector<std::thread> all;
  for (auto& mine : improvements)
    all.emplace_back([&best, &mine] {
      for (int value = 1; value <= values; ++value)
        if (best.offer(value)) mine.push_back(value);
    });
  for (auto& thread : all) thread.join();
  CHECK(best.value() == values);
  std::vector<int> seen;
  for (const auto& mine : improvements) seen.insert(seen.end(), mine.begin(), mine.end());
  std::ranges::sort(seen);
  CHECK(std::ranges::adjacent_find(seen) == seen.end());
  CHECK(seen.back() == values);
}

TEST_CASE("after a run every rank has the best value, and the pool runs again") {
  for (const int threads : {1, 2}) {
    Incumbent<std::int64_t> best(0);
    WorkPool pool(world(), {.threads = threads, .incumbent = &best});
    for (int run = 0; run < 5; ++run) {
      // Known to one rank before the run is known to all in it.
      const std::int64_t before = 60000 + run;
      if (world().rank() == run % world().size()) best.offer(before);
      const Found found = pool.run<Node, Found>(root(), search(best));
      CHECK(found.count == nodes - 1);
      CHECK(found.best == best_of_all());
      CHECK(best.value() == best_of_all());
      CHECK(found.worse == 0);
      CHECK(found.least_seen >= before);
    }
  }
}

TEST_CASE("news reach a rank that works") {
  // One task comes again and again until it has heard of the other one's value.
  Incumbent<int> best(0);
  WorkPool pool(world(), {.incumbent = &best});
  std::vector<Node> mine;
  if (world().rank() == world().size() - 1) mine.push_back({2});
  if (world().rank() == 0) mine.insert(mine.begin(), {1});
  const auto wait = [&best](const Node& node, Spawner<Node>& spawner, Found& found) {
    ++found.count;
    if (node.number == 2) {
      best.offer(7);
    } else if (best.value() < 7) {
      spawner.push(node);
    }
  };
  CHECK(pool.run<Node, Found>(mine, wait).count >= 2);
  CHECK(best.value() == 7);
}

TEST_CASE("the value lives through pauses, equal on all ranks in each") {
  for (const int threads : {1, 2}) {
    Incumbent<std::int64_t> best(0);
    WorkPool pool(world(), {.threads = threads, .incumbent = &best});
    PartialRun<Node, Found> run{.tasks = root()};
    std::int64_t before = 0;
    int parts = 0;
    for (bool is_over = false; !is_over; ++parts) {
      const bool is_mine = world().rank() == parts % world().size();
      int looks = 0;
      is_over = pool.run_until<Node, Found>(
          run, search(best), [&](const RankLook&) { return is_mine && ++looks > 2 && parts < 20; });
      const Found found = pool.merged(run.results);
      CHECK(best.value() == found.best);
      CHECK(best.value() >= before);
      CHECK(found.worse == 0);
      before = best.value();
    }
    CHECK(pool.merged(run.results).count == nodes - 1);
    CHECK(best.value() == best_of_all());
  }
}

TEST_CASE("an incumbent of some ranks only is refused on all") {
  if (world().size() == 1) return;
  Incumbent<int> best(0);
  try {
    const WorkPool pool(world(), {.incumbent = world().rank() == 0 ? &best : nullptr});
    FAIL_CHECK("it is not refused");
  } catch (const Error& error) {
    CHECK(error.code() == Errc::usage);
    CHECK(error.agreed());
    CHECK(std::string(error.what()).find("1 of ") != std::string::npos);
  }
}

// --- priorities --------------------------------------------------------------------------------

namespace {

/// A node of the same tree.
struct Urgent {
  static constexpr std::size_t priorities = 64;
  std::uint32_t number = 1;
  [[nodiscard]] std::size_t priority() const { return number % 64; }
};

struct Order {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  std::uint64_t disorder = 0;
  void merge(const Order& other) {
    count += other.count;
    sum += other.sum;
    disorder += other.disorder;
  }
};

/// Knows what waits, as long as it has all of it.
auto in_order() {
  return [waiting = std::vector<int>(64)](const Urgent& task, Spawner<Urgent>& spawner,
                                          Order& order) mutable {
    ++order.count;
    order.sum += task.number;
    for (std::size_t p = task.priority() + 1; p < 64; ++p)
      if (waiting[p] > 0) ++order.disorder;
    if (task.number > 1) --waiting[task.priority()];
    for (const std::uint32_t child : {2 * task.number, 2 * task.number + 1}) {
      if (child >= nodes) continue;
      spawner.push({child});
      ++waiting[child % 64];
    }
  };
}

}  // namespace

TEST_CASE("tasks with a priority: exactly by it on one thread, and each once on any") {
  for (const int threads : {1, 2, 4}) {
    WorkPool pool(world(), {.threads = threads});
    const auto roots = world().is_root() ? std::vector<Urgent>{{}} : std::vector<Urgent>{};
    const Order order = pool.run<Urgent, Order>(roots, in_order());
    CHECK(order.count == nodes - 1);
    CHECK(order.sum == std::uint64_t{nodes} * (nodes - 1) / 2);
    if (world().size() == 1 && threads == 1) CHECK(order.disorder == 0);
  }
}

TEST_CASE("tasks with a priority live through pauses") {
  WorkPool pool(world(), {.threads = 2});
  PartialRun<Urgent, Order> run;
  if (world().is_root()) run.tasks.push_back({});
  int parts = 0;
  for (bool is_over = false; !is_over; ++parts) {
    int looks = 0;
    is_over = pool.run_until<Urgent, Order>(
        run, in_order(), [&](const RankLook&) { return ++looks > 2 && parts < 9; });
  }
  CHECK(pool.merged(run.results).count == nodes - 1);
  CHECK(pool.merged(run.results).sum == std::uint64_t{nodes} * (nodes - 1) / 2);
}
