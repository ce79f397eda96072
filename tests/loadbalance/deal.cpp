// Tasks that are dealt out: each is somewhere once, and where the schedule says.
#include "cairn/loadbalance/deal.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/error.hpp"
#include "mpi_test.hpp"
#include "numbers.hpp"

using namespace cairn;
using namespace cairn::loadbalance;
using cairn::test::Seen;
using cairn::test::world;

namespace {

struct Numbered {
  std::uint64_t number = 0;
};

struct Named {
  std::uint64_t number = 0;
  std::string name = {};
};

}  // namespace

template <>
inline constexpr auto cairn::members_of<Named> = cairn::Members<&Named::number, &Named::name>{};

namespace {

void name(Numbered&) {}
void name(Named& task) { task.name = std::string(task.number % 50, 'n'); }
bool is_right(const Numbered&) { return true; }
bool is_right(const Named& task) { return task.name == std::string(task.number % 50, 'n'); }

/// Uneven shares; ranks 1, 4, … have none.
std::size_t share_of(int rank) {
  return rank % 3 == 1 ? 0 : static_cast<std::size_t>(7 + 5 * rank);
}

std::size_t number_of_tasks() {
  std::size_t all = 0;
  for (int rank = 0; rank < world().size(); ++rank) all += share_of(rank);
  return all;
}

template <typename Task>
std::vector<Task> tasks_here() {
  std::size_t first = 0;
  for (int rank = 0; rank < world().rank(); ++rank) first += share_of(rank);
  std::vector<Task> tasks(share_of(world().rank()));
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    tasks[i].number = first + i;
    name(tasks[i]);
  }
  return tasks;
}

double weight_of(std::uint64_t number) { return static_cast<double>(number * number % 31); }

/// The Error that all ranks get.
template <typename Call>
Errc agreed_error(Call call) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.agreed());
    return error.code();
  }
  FAIL_CHECK("it is accepted");
  return Errc::internal;
}

}  // namespace

TEST_CASE_TEMPLATE("each task is where the schedule of all tasks says", Task, Numbered, Named) {
  const std::size_t all = number_of_tasks();
  std::vector<double> weights;
  for (std::uint64_t number = 0; number < all; ++number) weights.push_back(weight_of(number));
  for (const Policy policy :
       {Policy::block, Policy::round_robin, Policy::random, Policy::weighted}) {
    auto tasks = tasks_here<Task>();
    deal<Task>(world(), tasks, {.policy = policy, .weight = [](const Task& task) {
                                  return weight_of(task.number);
                                }});
    const Schedule schedule = schedule_of(policy, all, weights, world().size());
    std::vector<std::uint64_t> found, expected;
    for (const Task& task : tasks) {
      CHECK(is_right(task));
      found.push_back(task.number);
    }
    for (std::size_t number = 0; number < all; ++number)
      if (schedule[number] == world().rank()) expected.push_back(number);
    CHECK(found == expected);
  }
}

TEST_CASE("what is left is dealt out in equal numbers, or by weight") {
  auto tasks = tasks_here<Numbered>();
  deal<Numbered>(world(), tasks, {.policy = Policy::repartition});
  const auto ranks = static_cast<std::size_t>(world().size());
  CHECK(tasks.size() >= number_of_tasks() / ranks);
  CHECK(tasks.size() <= number_of_tasks() / ranks + 1);

  // One as heavy as all others together is alone.
  const auto heavy = [](const Numbered& task) { return task.number == 3 ? 1e6 : 1.0; };
  tasks = tasks_here<Numbered>();
  deal<Numbered>(world(), tasks, {.policy = Policy::repartition, .weight = heavy});
  const bool has_it = std::ranges::any_of(tasks, [](auto& task) { return task.number == 3; });
  if (ranks > 1) CHECK(has_it == (tasks.size() == 1));
}

TEST_CASE("no tasks are dealt out as well") {
  for (const Policy policy : {Policy::block, Policy::weighted, Policy::repartition}) {
    std::vector<Named> none;
    deal<Named>(world(), none, {.policy = policy, .weight = [](const Named&) { return 1.0; }});
    CHECK(none.empty());
  }
}

TEST_CASE("weights that are none, and weights that are missing, are refused on all ranks") {
  auto tasks = tasks_here<Numbered>();
  for (const double bad : {-1.0, std::numeric_limits<double>::quiet_NaN()}) {
    const auto weight = [&](const Numbered& task) { return task.number == 5 ? bad : 1.0; };
    CHECK(agreed_error([&] {
            deal<Numbered>(world(), tasks, {.policy = Policy::weighted, .weight = weight});
          }) == Errc::usage);
  }
  CHECK(agreed_error([&] { deal<Numbered>(world(), tasks, {.policy = Policy::weighted}); }) ==
        Errc::usage);
  CHECK(tasks.size() == share_of(world().rank()));
}

TEST_CASE("a weight that throws on one rank, be it a number, is an error of all") {
  auto tasks = tasks_here<Numbered>();
  const auto weight = [](const Numbered& task) -> double {
    if (task.number == 5) throw 5;
    return 1;
  };
  for (const Policy policy : {Policy::weighted, Policy::repartition})
    CHECK(agreed_error([&] {
            deal<Numbered>(world(), tasks, {.policy = policy, .weight = weight});
          }) == Errc::internal);
}

namespace {

constexpr auto never = [] { return false; };

}  // namespace

TEST_CASE("the oldest tasks are done until there are enough, by blocks or one by one") {
  // Task n has the children 2n and 2n + 1, up to 1023.
  const auto spawn = [](const Numbered& task, Spawner<Numbered>& spawner, Seen& seen) {
    seen.add(task.number);
    for (const std::uint64_t child : {2 * task.number, 2 * task.number + 1})
      if (child < 1024) spawner.push(Numbered{child});
  };
  const auto spawn_all = [&](std::span<const Numbered> tasks, Spawner<Numbered>& spawner,
                             Seen& seen) {
    const std::vector<Numbered> block(tasks.begin(), tasks.end());
    for (const Numbered& task : block) spawn(task, spawner, seen);
  };
  const auto check = [](const auto& process) {
    PartialRun<Numbered, Seen> run{.tasks = {{1}}};
    CHECK(make_seeds(run, process, 100, never) == 99);
    std::vector<std::uint64_t> waiting;
    for (const Numbered& task : run.tasks) waiting.push_back(task.number);
    std::vector<std::uint64_t> expected(100);
    for (std::uint64_t i = 0; i < 100; ++i) expected[i] = 100 + i;  // breadth first
    CHECK(waiting == expected);
    run.tasks.clear();
    CHECK(make_seeds(run, process, 5000, never) == 0);
  };
  check(spawn);
  check(spawn_all);

  PartialRun<Numbered, Seen> run{.tasks = {{1}}};
  const auto bad = [&](const Numbered& task, Spawner<Numbered>& spawner, Seen& seen) {
    if (task.number == 9) throw Error(Errc::bad_data, "nine");
    spawn(task, spawner, seen);
  };
  try {
    (void)make_seeds(run, bad, 100, never);
    FAIL_CHECK("it goes on");
  } catch (const Error& error) {
    CHECK(error.code() == Errc::bad_data);
    CHECK(std::string(error.what()).find("failed: nine") != std::string::npos);
  }
}

TEST_CASE("no seeds are made of tasks that do not become more, or when a cut is wanted") {
  PartialRun<Numbered, Seen> flat;
  for (std::uint64_t number = 0; number < 200; ++number) flat.tasks.push_back({number});
  const auto alone = [](Numbered& task, Spawner<Numbered>&, Seen& seen) { seen.add(task.number); };
  CHECK(make_seeds(flat, alone, 256, never) < 20);
  CHECK(flat.tasks.size() + flat.results.count == 200);

  PartialRun<Numbered, Seen> chain{.tasks = {{0}}};
  const auto next = [](const Numbered& task, Spawner<Numbered>& spawner, Seen& seen) {
    seen.add(task.number);
    spawner.push({task.number + 1});
  };
  CHECK(make_seeds(chain, next, 256, never) == 512);
  CHECK(chain.tasks.size() == 1);
  CHECK(make_seeds(chain, next, 256, [] { return true; }) == 0);
}

TEST_CASE("tasks of no weight are dealt out evenly, too") {
  auto tasks = tasks_here<Numbered>();
  deal<Numbered>(world(), tasks,
                 {.policy = Policy::weighted, .weight = [](const Numbered&) { return 0.0; }});
  const auto ranks = static_cast<std::size_t>(world().size());
  CHECK(tasks.size() >= number_of_tasks() / ranks);
  CHECK(tasks.size() <= number_of_tasks() / ranks + 1);
}
