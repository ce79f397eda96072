// What ends a pool's run on all ranks, whoever has seen it, and what does not.
#include <array>
#include <chrono>
#include <limits>
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

/// Each task leaves another one, until the run is ended, or for a minute.
class GoOn {
 public:
  template <typename Task>
  void operator()(const Task& task, Spawner<Task>& spawner, Seen& seen) const {
    see(task, spawner, seen);
    if (std::chrono::steady_clock::now() < end_) spawner.push(task);
  }

 private:
  std::chrono::steady_clock::time_point end_ =
      std::chrono::steady_clock::now() + std::chrono::minutes(1);
};

template <typename Task>
void check_small_tasks(const Task& task) {
  WorkPool pool(world(), {.stealing = {.least_work_us = 0, .largest_task_bytes = 1000}});
  const std::vector<Task> mine(world().is_root() ? 400 : 0, task);
  bool has_moved = world().size() == 1;
  for (int runs = 0; !has_moved && runs < 50; ++runs) {  // on busy cores nobody asks in time
    CHECK(pool.run<Task, Seen>(mine, see<Task>).count == 400);
    has_moved = all_reduce(world(), pool.report().stealing.bytes_got) > 0;
  }
  CHECK(has_moved);
}

/// Counts what its rank has done, and cannot be added to that of another on the last rank.
struct Unmergeable {
  int count = 0;
  void merge(const Unmergeable& other) {
    if (other.count > 0 && world().rank() == world().size() - 1)
      throw Error(Errc::bad_data, "the sum is too large");
    count += other.count;
  }
};

}  // namespace

TEST_CASE("results that one rank cannot merge are an error of all ranks") {
  WorkPool pool(world(), {.threads = 2, .stealing = {.steals = false}});
  const std::vector<int> mine(3, 0);
  const auto count = [](const int&, Spawner<int>&, Unmergeable& done) { ++done.count; };
  for (int again = 0; again < 2; ++again) {
    CHECK_THROWS_WITH_AS((void)(pool.run<int, Unmergeable>(mine, count)),
                         doctest::Contains("the sum is too large"), Error);
  }
}

TEST_CASE("many small tasks are no large one, however long their message") {
  check_small_tasks(std::array<char, 100>{});
  check_small_tasks(std::string(90, 'x'));
}

namespace {

/// Thrown by the last rank alone.
void throw_on_last() {
  if (world().rank() == world().size() - 1) throw Error(Errc::bad_data, "no good");
}

/// The Error of `call`, the same on all ranks.
template <typename Call>
std::string agreed_text(Call call) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.agreed());
    CHECK(error.code() == Errc::bad_data);
    return error.what();
  }
  FAIL_CHECK("it goes on");
  return {};
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

TEST_CASE("a pause that throws on one rank ends the run on all, and the pool runs again") {
  for (const int threads : {1, 3}) {
    WorkPool pool(world(), {.threads = threads});
    PartialRun<int, Seen> run{.tasks = std::vector<int>(world().is_root() ? 400 : 0)};
    const auto pause = [looks = 0](const RankLook&) mutable {
      if (++looks > 3) throw_on_last();
      return false;
    };
    const auto text = agreed_text([&] { (void)pool.run_until<int, Seen>(run, GoOn(), pause); });
    CHECK(ends_with(text, "pause failed: no good"));
    CHECK(pool.run<int, Seen>(std::vector<int>(3), see<int>).count == 3U * world().size());
  }
}

TEST_CASE("a pulse that throws on one rank ends the run on all") {
  WorkPool pool(world(),
                {.pulse = [](const PoolPulse&) { throw_on_last(); }, .pulse_seconds = 0.001});
  const std::vector<int> mine(world().is_root() ? 400 : 0);
  const auto text = agreed_text([&] { (void)pool.run<int, Seen>(mine, GoOn()); });
  CHECK(ends_with(text, "pulse failed: no good"));
}

namespace {

/// Of which no half can be taken.
struct Whole {
  int number = 0;
  static std::size_t split(std::span<Whole>, std::size_t, std::vector<Whole>&) {
    throw Error(Errc::bad_data, "it does not split");
  }
};

}  // namespace

TEST_CASE("a split that throws ends the run on all ranks, whichever thread wants it") {
  for (const int threads : {1, 3}) {
    if (threads * world().size() == 1) continue;  // nobody wants any
    WorkPool pool(world(), {.threads = threads, .stealing = {.least_work_us = 0}});
    const std::vector<Whole> mine(world().is_root() ? 400 : 0);
    const auto text = agreed_text([&] { (void)pool.run<Whole, Seen>(mine, GoOn()); });
    CHECK(ends_with(text, "it does not split"));
  }
}

TEST_CASE("options that cannot be are refused on all ranks, also when one rank has them") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr int most = std::numeric_limits<int>::max();
  const WorkPoolOptions bad[] = {{.threads = 0},
                                 {.stealing = {.host_tries = most}},
                                 {.stealing = {.random_tries = most}},
                                 {.stealing = {.random_tries = -1}},
                                 {.stealing = {.least_work_us = nan}},
                                 {.stealing = {.ranks_per_host = -1}},
                                 {.pulse_seconds = nan},
                                 {.pulse_seconds = -1}};
  for (const auto& options : bad) {
    bool is_refused = false;
    try {
      const WorkPool pool(world(), world().is_root() ? options : WorkPoolOptions{});
    } catch (const Error& error) {
      is_refused = error.agreed() && error.code() == Errc::usage;
    }
    CHECK(is_refused);
  }
  const WorkPool pool(world(), {.stealing = {.host_tries = most_tries, .random_tries = 0},
                                .pulse_seconds = std::numeric_limits<double>::infinity()});
}
