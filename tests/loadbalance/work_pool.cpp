// Work that unfolds unevenly, over the threads of all ranks: everything once, whoever does it.
#include "cairn/loadbalance/work_pool.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../support/mpi_test.hpp"
#include "cairn/collectives/reductions.hpp"
#include "cairn/core/error.hpp"
#include "numbers.hpp"

using namespace cairn;
using namespace cairn::loadbalance;
using cairn::test::numbers;
using cairn::test::Seen;
using cairn::test::world;

namespace {

/// A binomial tree of that order: its root has children of all lower orders, and it has 2^order
/// nodes, which own the numbers from `first` on.
struct Node {
  std::uint64_t first = 0;
  int order = 0;
};

std::string describe(const Node& node) {
  return "(" + std::to_string(node.first) + ", " + std::to_string(node.order) + ")";
}

void visit(const Node& node, Spawner<Node>& spawner, Seen& seen) {
  seen.add(node.first);
  for (int order = 0; order < node.order; ++order)
    spawner.push({node.first + (std::uint64_t{1} << order), order});
}

/// One tree on each of the first `trees` ranks.
std::vector<Node> roots(int trees, int order) {
  if (world().rank() >= trees) return {};
  return {{static_cast<std::uint64_t>(world().rank()) << order, order}};
}

/// The same tree, of tasks that are no plain bytes: a node's number is a path of words.
struct Path {
  std::vector<std::string> words = {};
  int order = 0;
};

}  // namespace

template <>
inline constexpr auto cairn::members_of<Path> = cairn::Members<&Path::words, &Path::order>{};

namespace {

std::string describe(const Path& path) {
  return path.words.empty() ? "the root" : path.words.back();
}

void follow(Path& path, Spawner<Path>& spawner, Seen& seen) {
  std::this_thread::sleep_for(std::chrono::microseconds(20));  // so that there is time to steal
  std::uint64_t number = 0;
  for (const std::string& word : path.words) number += std::stoull(word);
  seen.add(number);
  for (int order = 0; order < path.order; ++order) {
    Path child{path.words, order};
    child.words.push_back(std::to_string(std::uint64_t{1} << order));
    spawner.push(std::move(child));
  }
}

/// Numbers from `first` to before `last`, of which a split takes the upper half.
struct Range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  static std::size_t split(std::span<Range> tasks, std::size_t most, std::vector<Range>& out) {
    for (auto& range : tasks.first(std::min(most, tasks.size()))) {
      const auto middle = range.first + (range.last - range.first) / 2;
      if (range.last - range.first > 1) out.push_back({middle, std::exchange(range.last, middle)});
    }
    return tasks.size();
  }
};

}  // namespace

TEST_CASE("every task is processed once, on any number of threads, wherever the roots are") {
  constexpr int order = 14;
  for (const int threads : {1, 2, 4}) {
    CAPTURE(threads);
    WorkPool pool(world(), {.threads = threads});
    for (const int trees : {1, 0, world().size()}) {
      CAPTURE(trees);
      const auto mine = roots(trees, order);
      const Seen seen = pool.run<Node, Seen>(mine, visit);
      CHECK(seen == numbers(static_cast<std::uint64_t>(trees) << order));
      const auto done = all_reduce(world(), pool.report().tasks);
      CHECK(done == seen.count);
    }
  }
}

TEST_CASE("tasks in blocks, by a process with a memory of its own for each thread") {
  WorkPool pool(world(), {.threads = 2});
  const auto in_blocks = [copies = std::vector<Node>()](std::span<const Node> nodes,
                                                        Spawner<Node>& spawner,
                                                        Seen& seen) mutable {
    copies.assign(nodes.begin(), nodes.end());
    for (const Node& node : copies) {
      const auto children = spawner.grow(static_cast<std::size_t>(node.order) + 1);
      for (int order = 0; order < node.order; ++order)
        children[static_cast<std::size_t>(order)] = {node.first + (std::uint64_t{1} << order),
                                                     order};
      spawner.shrink(1);
      seen.add(node.first);
    }
  };
  CHECK(pool.run<Node, Seen>(roots(1, 14), in_blocks) == numbers(std::uint64_t{1} << 14));
}

namespace {

struct Both {
  void operator()(const Node&, Spawner<Node>&, Seen&) const {}
  void operator()(std::span<const Node>, Spawner<Node>&, Seen&) const {}
};
static_assert(TaskProcess<Both, Node, Seen> && !BlockProcess<Both, Node, Seen>);

}  // namespace

TEST_CASE("a process that would take anything takes one task at a time") {
  const auto any = [](const auto& node, auto& spawner, auto& seen) { visit(node, spawner, seen); };
  WorkPool pool(world(), {.threads = 2});
  CHECK(pool.run<Node, Seen>(roots(1, 10), any) == numbers(1 << 10));
}

TEST_CASE("a pool runs again at once, many times") {
  WorkPool pool(world(), {.threads = 2});
  bool all_right = true;
  for (int run = 0; run < 100; ++run) {
    const auto mine = run % world().size() == world().rank() ? std::vector<Node>{{0, run % 9}}
                                                             : std::vector<Node>{};
    const Seen seen = pool.run<Node, Seen>(mine, visit);
    all_right = all_right && seen == numbers(std::uint64_t{1} << run % 9);
  }
  CHECK(all_right);
}

TEST_CASE("messages of one task are enough") {
  WorkPool pool(world(), {.threads = 1, .stealing = {.most_bytes = 1}});
  const Seen seen = pool.run<Node, Seen>(roots(1, 12), visit);
  CHECK(seen == numbers(std::uint64_t{1} << 12));
}

TEST_CASE("work comes to the others, by stealing alone") {
  WorkPool pool(world());
  // A task takes a while, so that one rank alone cannot be through before the others ask.
  const auto slow = [](const Node& node, Spawner<Node>& spawner, Seen& seen) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    visit(node, spawner, seen);
  };
  const Seen seen = pool.run<Node, Seen>(roots(1, 11), slow);
  CHECK(seen == numbers(std::uint64_t{1} << 11));
  CHECK(pool.report().tasks > 0);
}

TEST_CASE("a run that is paused again and again by any rank does every task once") {
  constexpr int order = 12;
  // So long that there is time for many looks at the others.
  const auto slow = [](const Node& node, Spawner<Node>& spawner, Seen& seen) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(10);
    while (std::chrono::steady_clock::now() < end) continue;
    visit(node, spawner, seen);
  };
  for (const int threads : {1, 3}) {
    WorkPool pool(world(), {.threads = threads});
    PartialRun<Node, Seen> run{.tasks = roots(1, order)};
    int pauses = 0;
    for (bool is_over = false; !is_over;) {
      // Another rank each time; the work of some other rank may be over before it is asked.
      const bool is_mine = world().rank() == pauses % world().size();
      int looks = 0;
      is_over = pool.run_until<Node, Seen>(
          run, slow, [&](const RankLook&) { return is_mine && ++looks > 2 && pauses < 9; });
      const auto all = pool.merged(run.results);
      const auto left = all_reduce(world(), static_cast<std::uint64_t>(run.tasks.size()));
      CHECK((left == 0) == is_over);
      if (!is_over) ++pauses;
      if (is_over) CHECK(all == numbers(std::uint64_t{1} << order));
    }
    CHECK(pauses > 0);
  }
}

TEST_CASE("a pause that the last task has forestalled is the end") {
  WorkPool pool(world());
  PartialRun<Node, Seen> run;
  CHECK(pool.run_until<Node, Seen>(run, visit, [](const RankLook&) { return true; }));
  CHECK(run.tasks.empty());
}

TEST_CASE("a rank that does not steal does its own tasks") {
  WorkPool pool(world(), {.threads = 2, .stealing = {.steals = false}});
  for (int again = 0; again < 2; ++again) {
    const auto mine = roots(world().size(), world().is_root() ? 11 : 0);
    (void)pool.run<Node, Seen>(mine, visit);
    CHECK(pool.report().tasks == (world().is_root() ? 1U << 11 : 1U));
    CHECK(pool.report().stealing.asked == 0);
  }
}

TEST_CASE("ranks of the same host are asked first, where there are others") {
  constexpr int order = 15;
  for (const int ranks_per_host : {1, 2, 3, 100}) {
    WorkPool pool(world(), {.stealing = {.least_work_us = 0, .ranks_per_host = ranks_per_host}});
    const auto mine = roots(1, order);
    CHECK(pool.run<Node, Seen>(mine, visit) == numbers(std::uint64_t{1} << order));
    const auto& counts = pool.report().stealing;
    const int host = world().rank() / ranks_per_host;
    const auto on_host =
        std::min(ranks_per_host * (host + 1), world().size()) - ranks_per_host * host;
    const bool has_mates = on_host > 1 && on_host < world().size();
    CHECK((counts.asked_on_host > 0) == (has_mates && counts.asked > 0));
    CHECK(counts.asked_on_host <= counts.asked);
    CHECK(counts.won() <= counts.asked);
    CHECK(counts.gifts <= counts.got);
  }
}

TEST_CASE("who waits for one long task is quiet") {
  WorkPool pool(world());
  const std::vector<Node> mine = roots(1, 0);
  bool all_sleep = false;
  // Who waits sleeps after some hundred turns, which take seconds where others want the cores.
  for (int milliseconds = 700; !all_sleep && milliseconds < 30000; milliseconds *= 2) {
    const auto longer = [&](const Node& node, Spawner<Node>& spawner, Seen& seen) {
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
      visit(node, spawner, seen);
    };
    CHECK(pool.run<Node, Seen>(mine, longer) == numbers(1));
    const auto& report = pool.report();
    CHECK(report.stealing.messages < 50);
    CHECK(report.stealing.waves < 12);
    CHECK((report.stealing.parked > 0 || world().is_root()));
    all_sleep = cairn::all_reduce(world(), int{report.naps > 0 || world().is_root()},
                                  cairn::Minimum{}) == 1;
  }
  CHECK(all_sleep);
}

TEST_CASE("what a task throws ends the run on all ranks, and the pool runs again") {
  for (const int threads : {1, 3}) {
    WorkPool pool(world(), {.threads = threads});
    const auto bad = [](const Node& node, Spawner<Node>& spawner, Seen& seen) {
      if (node.first == 777) throw Error(Errc::bad_data, "number 777 is no good");
      visit(node, spawner, seen);
    };
    try {
      (void)pool.run<Node, Seen>(roots(1, 13), bad);
      FAIL_CHECK("it goes on");
    } catch (const Error& error) {
      CHECK(error.code() == Errc::bad_data);
      CHECK(error.agreed());
      const std::string what = error.what();
      CHECK(what.find("task (777, ") != std::string::npos);
      CHECK(what.find("number 777 is no good") != std::string::npos);
    }
    CHECK(pool.run<Node, Seen>(roots(1, 10), visit) == numbers(std::uint64_t{1} << 10));
  }
}

TEST_CASE("what a block of tasks throws names one, and how many it may have been") {
  WorkPool pool(world());
  const auto bad = [](std::span<const Node> nodes, Spawner<Node>&, Seen&) {
    if (nodes.size() > 1) throw Error(Errc::bad_data, "one of these is no good");
  };
  std::vector<Node> mine;
  for (std::uint64_t i = 0; world().is_root() && i < 1000; ++i) mine.push_back({i, 0});
  try {
    (void)pool.run<Node, Seen>(mine, bad);
    FAIL_CHECK("it goes on");
  } catch (const Error& error) {
    CHECK(error.code() == Errc::bad_data);
    CHECK(error.agreed());
    const std::string what = error.what();
    CHECK(what.find("task (") != std::string::npos);
    CHECK(what.find("or one of ") != std::string::npos);
    CHECK(what.find("one of these is no good") != std::string::npos);
  }
}

TEST_CASE("tasks larger than a message may be travel one at a time") {
  struct Large {
    Node node = {};
    std::array<std::uint64_t, 1000> rest = {};
  };
  WorkPool pool(world(), {.threads = 2, .stealing = {.least_work_us = 0, .most_bytes = 100}});
  const auto large = [](const Large& task, Spawner<Large>& spawner, Seen& seen) {
    CHECK(task.rest[999] == task.node.first);
    seen.add(task.node.first);
    for (int order = 0; order < task.node.order; ++order) {
      Large child{.node = {task.node.first + (std::uint64_t{1} << order), order}};
      child.rest[999] = child.node.first;
      spawner.push(child);
    }
  };
  std::vector<Large> mine(world().is_root() ? 1 : 0);
  if (!mine.empty()) mine[0].node.order = 9;
  CHECK(pool.run<Large, Seen>(mine, large) == numbers(1 << 9));
}

TEST_CASE("a task that is larger than a message can be ends the run when it travels") {
  WorkPool pool(world(), {.stealing = {.least_work_us = 0, .largest_task_bytes = 1000}});
  std::vector<Path> mine;
  for (int i = 0; world().is_root() && i < 40; ++i) mine.push_back({{std::string(2000, 'x')}, 0});
  const auto slow = [](const Path&, Spawner<Path>&, Seen& seen) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    seen.add(0);
  };
  try {
    const Seen seen = pool.run<Path, Seen>(mine, slow);
    CHECK(world().size() == 1);  // there it stays where it is
    CHECK(seen.count == 40);
  } catch (const Error& error) {
    CHECK(world().size() > 1);
    CHECK(error.agreed());
    CHECK(error.code() == Errc::usage);
    CHECK(std::string(error.what()).find("larger than a message can be") != std::string::npos);
  }
}

TEST_CASE("tasks that list their members travel, in messages of many and of one") {
  for (const std::size_t most_bytes : {1, 300, 65536}) {
    CAPTURE(most_bytes);
    WorkPool pool(world(),
                  {.threads = 2, .stealing = {.least_work_us = 0, .most_bytes = most_bytes}});
    std::vector<Path> mine(world().is_root() ? 1 : 0);
    if (!mine.empty()) mine[0].order = 10;
    CHECK(pool.run<Path, Seen>(mine, follow) == numbers(1 << 10));
    const auto bytes = all_reduce(world(), pool.report().stealing.bytes_got);
    if (world().size() > 1) CHECK(bytes > 0);
  }
}

TEST_CASE("tasks that say how they are split, be it one alone") {
  WorkPool pool(world(), {.threads = 2, .stealing = {.least_work_us = 0}});
  // One at a time, so that the range is there to be split while its numbers are seen.
  const auto one = [](Range& range, Spawner<Range>& spawner, Seen& seen) {
    std::this_thread::sleep_for(std::chrono::microseconds(20));
    seen.add(range.first);
    if (++range.first < range.last) spawner.push(range);
  };
  std::vector<Range> mine(world().is_root() ? 1 : 0);
  if (!mine.empty()) mine[0].last = 4000;
  CHECK(pool.run<Range, Seen>(mine, one) == numbers(4000));
  CHECK(all_reduce(world(), pool.report().shared + pool.report().stealing.bytes_got) > 0);
}

TEST_CASE("a task is named by its bytes where nobody says how") {
  CHECK(description_of(std::uint16_t{0xa0b}) == "of the bytes 0b 0a");
  CHECK(description_of(Node{5, 2}) == "(5, 2)");
}

namespace {

struct Nameless {
  int number = 0;
};
std::string describe(const Nameless&) { throw std::runtime_error("no name"); }

}  // namespace

TEST_CASE("a task that fails, and whose description fails as well") {
  WorkPool pool(world(), {.threads = 3});
  const auto fail = [](const Nameless&, Spawner<Nameless>&, Seen&) {
    throw Error(Errc::bad_data, "a broken task");
  };
  const std::vector<Nameless> tasks(20);
  std::string text;
  try {
    (void)pool.run<Nameless, Seen>(tasks, fail);
  } catch (const Error& error) {
    if (error.agreed()) text = error.what();
  }
  CHECK(text.find("task (without description: no name) failed: a broken task") !=
        std::string::npos);
}

TEST_CASE("a pool without threads is refused on all ranks") {
  CHECK_THROWS_AS(WorkPool(world(), {.threads = 0}), Error);
}
