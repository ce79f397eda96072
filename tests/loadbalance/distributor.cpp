// Known tasks under every policy: each once, on some thread of some rank.
#include "cairn/loadbalance/distributor.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "cairn/collectives/collective.hpp"
#include "cairn/core/error.hpp"
#include "mpi_test.hpp"

using namespace cairn;
using namespace cairn::loadbalance;
using cairn::test::world;

namespace {

constexpr Policy policies[] = {Policy::block,    Policy::round_robin, Policy::random,
                               Policy::weighted, Policy::repartition, Policy::stealing};

std::vector<double> weights_for(Policy policy, std::size_t tasks) {
  return std::vector<double>(policy == Policy::weighted ? tasks : 0, 1.0);
}

/// How often each task was done, on any rank.
std::vector<int> done_by(Distributor& distributor, std::size_t tasks) {
  const int threads = distributor.threads();
  std::vector<int> done(tasks);
  const auto weights = weights_for(distributor.policy(), tasks);
  std::atomic<bool> is_thread_wrong{false};
  distributor.run(tasks, weights, [&](std::size_t task, int thread) {
    ++done[task];
    if (thread < 0 || thread >= threads) is_thread_wrong = true;
  });
  CHECK_FALSE(is_thread_wrong);
  all_reduce(world(), std::span<int>(done));
  return done;
}

}  // namespace

TEST_CASE("policies have names, and only these") {
  for (const Policy policy : policies) {
    const auto all = names_of_policies();
    int named = 0;
    for (const char* name :
         {"block", "round-robin", "random", "weighted", "repartition", "stealing"}) {
      CHECK(all.find(name) != std::string::npos);
      named += policy_of(name) == policy ? 1 : 0;
    }
    CHECK(named == 1);
  }
  CHECK_FALSE(policy_of("Block"));
  CHECK_FALSE(policy_of(""));
}

TEST_CASE("every policy does each task once") {
  for (const Policy policy : policies)
    for (const int threads : {1, 2, 3}) {
      Distributor distributor(world(), threads, policy);
      for (const std::size_t tasks : {0, 1, 2, 5, 5, 1000, 1000}) {
        CAPTURE(threads);
        CAPTURE(tasks);
        CHECK(done_by(distributor, tasks) == std::vector<int>(tasks, 1));
      }
    }
}

TEST_CASE("more tasks than 32 bits count are refused by every policy") {
  for (const Policy policy : policies) {
    Distributor distributor(world(), 1, policy);
    CHECK_THROWS_WITH_AS(distributor.run((std::size_t{1} << 32) + 1, {}, [](std::size_t, int) {}),
                         doctest::Contains("2^32 tasks"), Error);
  }
}

TEST_CASE("its report has the tasks, work and waits of all calls, under every policy") {
  using namespace std::chrono_literals;
  const auto nap = [](std::size_t, int) { std::this_thread::sleep_for(2ms); };
  for (const Policy policy : policies) {
    CAPTURE(static_cast<int>(policy));
    Distributor distributor(world(), 2, policy);
    for (int call = 0; call < 2; ++call) distributor.run(20, weights_for(policy, 20), nap);
    const auto& report = distributor.report();
    CHECK(report.threads == 2);
    CHECK(all_reduce(world(), report.tasks) == 40);
    const auto& times = report.times;
    CHECK(times.useful_seconds() >= 0.002 * static_cast<double>(report.tasks));
    CHECK(times.busiest_seconds <= times.useful_seconds());
    CHECK(2 * times.busiest_seconds >= times.useful_seconds());
    CHECK(times.idle_seconds >= 0);
    // 20 naps of 2 ms on 2 p threads.
    CHECK(all_reduce(world(), times.seconds(), Maximum{}) >= 2 * 0.002 * 20 / (2 * world().size()));
  }
}

TEST_CASE("repartition learns which tasks are long") {
  Distributor distributor(world(), 2, Policy::repartition);
  constexpr std::size_t tasks = 60;
  const auto workers = static_cast<std::size_t>(2 * world().size());
  std::vector<std::size_t> sharing;  // workers that have long tasks
  for (int run = 0; run < 2; ++run) {
    std::vector<int> long_ones(workers);
    distributor.run(tasks, {}, [&](std::size_t task, int thread) {
      if (task >= 16) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      ++long_ones[static_cast<std::size_t>(2 * world().rank() + thread)];
    });
    all_reduce(world(), std::span<int>(long_ones));
    sharing.push_back(workers - static_cast<std::size_t>(std::ranges::count(long_ones, 0)));
  }
  const std::size_t of_block = (tasks + workers - 1) / workers;
  CHECK(sharing[0] == (16 + of_block - 1) / of_block);
  CHECK(sharing[1] > sharing[0]);
  CHECK(sharing[1] >= workers / 2);  // all, if sleeps were alike
}

TEST_CASE("what a task throws ends all with its number, and the next run is whole, of any count") {
  for (const Policy policy : policies)
    for (const int threads : {1, 2}) {
      Distributor distributor(world(), threads, policy);
      CHECK(done_by(distributor, 100) == std::vector<int>(100, 1));
      try {
        distributor.run(40, weights_for(policy, 40), [](std::size_t task, int) {
          if (task == 23) throw std::runtime_error("no good");
        });
        FAIL_CHECK("it goes on");
      } catch (const Error& error) {
        CHECK(error.agreed());
        CHECK(error.code() == Errc::internal);
        CHECK(std::string(error.what()).find("task 23 failed: no good") != std::string::npos);
      }
      for (const std::size_t tasks : {100, 40})
        CHECK(done_by(distributor, tasks) == std::vector<int>(tasks, 1));
    }
}

TEST_CASE("weights that are missing are refused on all ranks") {
  Distributor distributor(world(), 1, Policy::weighted);
  try {
    distributor.run(3, {}, [](std::size_t, int) {});
    FAIL_CHECK("it goes on");
  } catch (const Error& error) {
    CHECK(error.agreed());
    CHECK(error.code() == Errc::usage);
  }
}
