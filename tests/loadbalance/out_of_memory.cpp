// Memory runs out at any allocation of a run, on any of its threads: an exception says so.

#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "cairn/core/error.hpp"
#include "cairn/loadbalance/work_pool.hpp"
#include "mpi_test.hpp"

using namespace cairn;
using namespace cairn::loadbalance;

namespace {

/// The root of a tree of 2^order nodes; large, so that a few of them need another page of memory.
struct Node {
  int order = 0;
  char rest[1000] = {};
};

/// With as many priorities, whose stacks grow one by one.
struct Ranked : Node {
  static constexpr std::size_t priorities = 16;
  [[nodiscard]] std::size_t priority() const { return static_cast<std::size_t>(order); }
};

struct Count {
  std::uint64_t nodes = 0;
  void merge(const Count& other) { nodes += other.nodes; }
};

/// More than a stack has room for at first, so that one has to grow, whatever threads share.
constexpr int leaves = 300;

enum class Outcome { counted, said, thrown };

template <typename Task>
Outcome run(long n) {
  WorkPool pool(test::world(), {.threads = 3});
  const auto visit = [n](const Task& task, Spawner<Task>& spawner, Count& count) {
    if (task.order == 12) {
      test::fail_allocation(n);
      for (int i = 0; i < leaves; ++i) spawner.push(Task{});
    }
    ++count.nodes;
    for (int order = 0; order < task.order; ++order) {
      Task child;
      child.order = order;
      spawner.push(child);
    }
  };
  std::vector<Task> roots(1);
  roots[0].order = 12;
  try {
    const auto count = pool.run<Task, Count>(roots, visit);
    test::fail_allocation(0);
    CHECK(count.nodes == (1 << 12) + leaves);
    return Outcome::counted;
  } catch (const Error& error) {
    test::fail_allocation(0);
    CHECK(error.code() == Errc::unavailable);
    CHECK(std::string(error.what()).find("out of memory") != std::string::npos);
    return Outcome::said;
  } catch (const std::bad_alloc&) {
    test::fail_allocation(0);
    return Outcome::thrown;
  }
}

template <typename Task>
void check_all() {
  CHECK(run<Task>(0) == Outcome::counted);
  CHECK(run<Task>(1) == Outcome::said);  // the first one is of the root, whose children need room
  for (long n = 2; n < 60; ++n) (void)run<Task>(n);
}

}  // namespace

TEST_CASE("a rank without memory to begin ends the run on all") {
  WorkPool pool(test::world());
  const auto count = [](const Node&, Spawner<Node>&, Count& counted) { ++counted.nodes; };
  const std::vector<Node> roots(8);
  const int last = test::world().size() - 1;
  for (long n = 1; n <= 3; ++n) {  // the roots, and what keeps the threads
    if (test::world().rank() == last) test::fail_allocation(n);
    bool is_told = false;
    try {
      (void)pool.run<Node, Count>(roots, count);
    } catch (const Error& error) {
      is_told = error.agreed() && error.code() == Errc::unavailable;
    }
    test::fail_allocation(0);
    CHECK(is_told);
  }
  CHECK(pool.run<Node, Count>(roots, count).nodes == 8U * static_cast<unsigned>(last + 1));
}

TEST_CASE("out of memory at any allocation of any thread") {
  if (test::world().size() > 1) return;  // of messages, too, which the others would wait for

  check_all<Node>();
  check_all<Ranked>();
}
