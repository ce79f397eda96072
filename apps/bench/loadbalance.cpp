// The pool of work against plain loops of the same process: what it costs beside the tasks on one
// thread, how much faster two workers are than one, what idle ranks cost, and how even a skewed
// load becomes. Trees are those of cairn-uts.

#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "benchmark.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/expects.hpp"
#include "cairn/loadbalance/schedule.hpp"
#include "cairn/loadbalance/work_pool.hpp"
#include "explore.hpp"
#include "sha1.hpp"
#include "tree.hpp"

namespace cairn::bench {

namespace {

using loadbalance::Spawner;
using loadbalance::WorkPool;
using uts::Leaves;

enum class Clock : clockid_t {
  wall = CLOCK_MONOTONIC,
  process = CLOCK_PROCESS_CPUTIME_ID,
  thread = CLOCK_THREAD_CPUTIME_ID
};

double now(Clock clock) {
  std::timespec time{};
  clock_gettime(static_cast<clockid_t>(clock), &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// Few groups are enough when they take so long.
constexpr double longest_seconds = 5;

/// compare() for calls of many milliseconds, by a clock that may be CPU time, so that others on the
/// same core do not count.
template <typename Ours, typename Baseline>
Seconds compare_long(const Context& context, Clock clock, Ours&& ours, Baseline&& baseline) {
  const auto& comm = context.world;
  const auto time = [&](auto& call) {
    barrier(comm);
    const double begin = now(clock);
    call();
    return all_reduce(comm, now(clock) - begin, Maximum{});
  };
  const std::size_t least_groups = context.is_trial() ? 1 : 3;
  const auto is_enough = [&](std::size_t groups, double elapsed) {
    if (groups < least_groups || elapsed < detail::patience * context.seconds) return false;
    return groups >= detail::least_groups || elapsed >= longest_seconds || context.is_trial();
  };
  std::vector<detail::Group> groups;
  (void)time(ours);  // whoever comes first asks for memory
  (void)time(baseline);
  for (double elapsed = 0; !is_enough(groups.size(), elapsed);) {
    const bool ours_first = groups.size() % 2 == 0;
    detail::Group group;
    if (ours_first) group.ours = time(ours);
    group.baseline = time(baseline);
    if (!ours_first) group.ours = time(ours) + time(ours);
    group.baseline += time(baseline);
    if (ours_first) group.ours += time(ours);
    elapsed += group.total();
    groups.push_back({group.ours / 2, group.baseline / 2});
  }
  return detail::judge(groups);
}

// --- trees on one thread ---------------------------------------------------------------------

/// A tree, and how it is counted.
struct Exploration {
  std::string_view tree;
  std::string_view kernel;
  Leaves leaves;
  std::optional<double> least_rate;  // nodes a second of a core
};

constexpr double most_on_one_thread = 1 / 0.90;

std::vector<Exploration> explorations() {
  return {{"T1", "sha_ni", Leaves::pushed, 45e6},
          {"T3", "sha_ni", Leaves::pushed, {}},
          {"T1", "avx512", Leaves::counted, {}},
          {"T3", "avx512", Leaves::counted, {}},
          {"T1L", "avx512", Leaves::counted, 75e6}};
}

bool has(std::string_view kernel) {
  return std::ranges::any_of(uts::kernels(),
                             [&](const uts::Kernel& other) { return other.name == kernel; });
}

/// In a trial: of a small tree.
uts::Tree tree_of(const Context& context, const Exploration& exploration) {
  auto parameters = uts::find_tree(context.is_trial() ? "T1" : exploration.tree)->parameters;
  if (context.is_trial()) parameters.depth = 5;
  return uts::Tree(parameters);
}

Parameters parameters_of(const Context& context, const Exploration& exploration) {
  return {{"tree", std::string(exploration.tree)},
          {"kernel", std::string(exploration.kernel)},
          {"leaves", exploration.leaves == Leaves::pushed ? "push" : "count"},
          {"ranks", context.world.size()}};
}

/// Every rank on its own: a pool of one thread and the plain loop; then the pool's rate.
void one_thread(Context& context, const Exploration& exploration, std::vector<Row>& rows) {
  const uts::Tree tree = tree_of(context, exploration);
  const auto& kernel = uts::kernel(exploration.kernel);
  WorkPool pool(context.world.split(context.world.rank()));
  std::uint64_t nodes = 0;
  const auto ours = [&] { nodes = uts::explore(tree, kernel, exploration.leaves, pool).nodes; };
  const auto plain = [&] {
    expects(uts::explore(tree, kernel, exploration.leaves).nodes == nodes, "two counts of a tree");
  };
  const Seconds seconds = compare_long(context, Clock::process, ours, plain);
  auto parameters = parameters_of(context, exploration);
  rows.push_back({"loadbalance.one_thread", parameters, seconds, most_on_one_thread});
  if (!exploration.least_rate) return;
  const double node = seconds.ours / static_cast<double>(nodes);
  parameters.insert(parameters.end() - 1, {"million_a_second", std::round(1e-5 / node) / 10});
  rows.push_back({"loadbalance.kernel", parameters, {node, 1 / *exploration.least_rate}, 1.0});
}

// --- tasks that do nothing -------------------------------------------------------------------

struct Count {
  std::uint64_t tasks = 0;
  void merge(const Count& other) { tasks += other.tasks; }
};

/// A task: the number of levels below it, of a binary tree.
using Levels = std::uint32_t;

void split(Levels levels, Spawner<Levels>& spawner, Count& count) {
  ++count.tasks;
  if (levels == 0) return;
  spawner.push(levels - 1);
  spawner.push(levels - 1);
}

void split_block(std::span<const Levels> some, Spawner<Levels>& spawner, Count& count) {
  std::array<Levels, WorkPool::block> parents{};
  std::ranges::copy(some, parents.begin());
  const auto room = spawner.grow(2 * some.size());
  std::size_t made = 0;
  for (const Levels levels : std::span(parents).first(some.size())) {
    room[made] = room[made + 1] = levels - 1;
    made += levels == 0 ? 0 : 2;
  }
  spawner.shrink(room.size() - made);
  count.tasks += some.size();
}

std::uint64_t split_alone(Levels levels) {
  std::vector<Levels> stack{levels};
  std::uint64_t tasks = 0;
  while (!stack.empty()) {
    const Levels top = stack.back();
    stack.pop_back();
    ++tasks;
    if (top == 0) continue;
    stack.push_back(top - 1);
    stack.push_back(top - 1);
  }
  return tasks;
}

/// What a task costs in the pool, and may: as in the plain loop, and 5 ns.
template <typename Process>
Row task_overhead(Context& context, const char* form, const Process& process) {
  constexpr double most_seconds = 5e-9;
  const Levels levels = context.is_trial() ? 12 : 20;
  const std::array<Levels, 1> root{levels};
  WorkPool pool(context.world.split(context.world.rank()));
  std::uint64_t tasks = 0;
  const auto ours = [&] { tasks = pool.run<Levels, Count>(root, process).tasks; };
  const auto plain = [&] { expects(split_alone(levels) == tasks, "two counts of a tree"); };
  const Seconds run = compare_long(context, Clock::process, ours, plain);
  const auto n = static_cast<double>(tasks);
  const double more = std::round(1e10 * (run.ours - run.baseline) / n) / 10;
  return {"loadbalance.task_overhead",
          {{"form", form}, {"more_ns", more}, {"ranks", context.world.size()}},
          {run.ours / n, run.baseline / n + most_seconds},
          1.0};
}

// --- two workers -----------------------------------------------------------------------------

constexpr double most_of_two = 2 / 1.9;

/// Two trees by two workers that steal, and at the same time one tree each by two ranks that know
/// nothing of each other.
template <typename Ours>
void two_workers(Context& context, const char* name, const Exploration& exploration, Ours&& ours,
                 std::vector<Row>& rows) {
  const uts::Tree tree = tree_of(context, exploration);
  const auto& kernel = uts::kernel(exploration.kernel);
  const auto count = [&](auto&... pool) {
    use(static_cast<double>(uts::explore(tree, kernel, exploration.leaves, pool...).nodes));
  };
  const auto two_trees = [&](WorkPool& pool) {
    for (int i = 0; i < 2; ++i) count(pool);
  };
  rows.push_back({name, parameters_of(context, exploration),
                  compare_long(
                      context, Clock::wall, [&] { ours(two_trees); }, [&] { count(); }),
                  most_of_two});
}

void two_ranks(Context& context, const Exploration& exploration, std::vector<Row>& rows) {
  WorkPool pool(context.world);
  two_workers(
      context, "loadbalance.two_ranks", exploration, [&](const auto& explore) { explore(pool); },
      rows);
}

/// The first of two ranks wakes the other one, which needs no core until then.
class Bell {
 public:
  explicit Bell(const Communicator& comm) {
    const auto name = "/cairn-bench-" + std::to_string(bcast(comm, static_cast<int>(::getpid())));
    if (comm.is_root()) bell_ = ::sem_open(name.c_str(), O_CREAT | O_EXCL, 0600, 0);
    barrier(comm);
    if (!comm.is_root()) bell_ = ::sem_open(name.c_str(), 0);
    is_heard_ = agree(comm, bell_ != SEM_FAILED);
    if (comm.is_root()) ::sem_unlink(name.c_str());
  }
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;
  ~Bell() {
    if (bell_ != SEM_FAILED) ::sem_close(bell_);
  }

  /// Not from one host to another. Equal on both ranks.
  [[nodiscard]] bool is_heard() const noexcept { return is_heard_; }

  void ring() { expects(::sem_post(bell_) == 0, "a bell that rings"); }
  void sleep() {
    while (::sem_wait(bell_) != 0) expects(errno == EINTR, "a bell to wait for");
  }

 private:
  sem_t* bell_ = SEM_FAILED;
  bool is_heard_ = false;
};

/// Two threads of the first rank, while the other one sleeps.
void two_threads(Context& context, const Exploration& exploration, std::vector<Row>& rows) {
  const auto& comm = context.world;
  const Communicator own = comm.split(comm.rank());
  WorkPool pool(own, {.threads = comm.is_root() ? 2 : 1});
  Bell bell(comm);
  if (!bell.is_heard()) return;
  const auto ours = [&](const auto& explore) {
    if (!comm.is_root()) return bell.sleep();
    explore(pool);
    bell.ring();
  };
  two_workers(context, "loadbalance.two_threads", exploration, ours, rows);
}

/// Of two ranks that are bound to a core each no rank can have both.
bool has_two_cores(const Communicator& comm) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  const bool has = sched_getaffinity(0, sizeof cores, &cores) == 0 && CPU_COUNT(&cores) >= 2;
  return all_reduce(comm, has ? 1 : 0, Minimum{}) != 0;
}

// --- tasks of known cost ---------------------------------------------------------------------

/// Computes for so long, whoever else is on the core.
void spin(double seconds) {
  const double end = now(Clock::thread) + seconds;
  while (now(Clock::thread) < end) {
  }
}

void spin_task(double seconds, Spawner<double>&, Count& count) {
  spin(seconds);
  ++count.tasks;
}

/// One task on one rank: the CPU time of all others together, against the time that it takes; and
/// the shortest time that may lie between two messages of a rank, against that of the rank that
/// sends most.
void quiet(Context& context, std::vector<Row>& rows) {
  const auto& comm = context.world;
  const std::array<double, 1> task{context.is_trial() ? 0.1 : 2.0};
  WorkPool pool(comm);
  const auto roots = std::span(task).first(comm.is_root() ? 1 : 0);
  barrier(comm);
  const double begin = now(Clock::wall);
  const double cpu_begin = now(Clock::process);
  (void)pool.run<double, Count>(roots, spin_task);
  const double cpu = comm.is_root() ? 0 : now(Clock::process) - cpu_begin;
  const double seconds = all_reduce(comm, now(Clock::wall) - begin, Maximum{});
  const auto messages =
      all_reduce(comm, comm.is_root() ? 0 : pool.report().stealing.messages, Maximum{});
  rows.push_back(
      {"loadbalance.quiet", {{"ranks", comm.size()}}, {all_reduce(comm, cpu), seconds}, 0.1});
  const double between = seconds / static_cast<double>(std::max<std::uint64_t>(1, messages));
  rows.push_back({"loadbalance.quiet_messages", {{"ranks", comm.size()}}, {0.01, between}, 1.0});
}

/// The cells of a square that all cost little, but for one corner.
std::vector<double> skewed_costs(double unit) {
  constexpr std::size_t edge = 32;
  std::vector<double> costs(edge * edge, unit);
  for (std::size_t y = 0; y < edge / 4; ++y)
    std::fill_n(costs.begin() + static_cast<std::ptrdiff_t>(y * edge), edge / 4, 25 * unit);
  return costs;
}

/// Each rank begins with its block of the rows; against as much of the sum for all.
void skew(Context& context, std::vector<Row>& rows) {
  const auto& comm = context.world;
  const auto costs = skewed_costs(context.is_trial() ? 1e-6 : 1e-4);
  const auto schedule = loadbalance::block_schedule(costs.size(), comm.size());
  std::vector<double> mine;
  for (std::size_t i = 0; i < costs.size(); ++i)
    if (schedule[i] == comm.rank()) mine.push_back(costs[i]);
  const double ideal = loadbalance::cost_of(schedule, costs, comm.size()).mean;
  WorkPool pool(comm);
  const auto stolen = [&] { (void)pool.run<double, Count>(mine, spin_task); };
  const auto fixed = [&] {
    for (const double cost : mine) spin(cost);
  };
  const auto even = [&] { spin(ideal); };
  const Parameters ranks{{"ranks", comm.size()}};
  rows.push_back(
      {"loadbalance.skew", ranks, compare_long(context, Clock::wall, stolen, even), 1.10});
  rows.push_back({"loadbalance.skew_block", ranks, compare_long(context, Clock::wall, fixed, even),
                  std::nullopt});
}

std::vector<Row> measure(Context& context) {
  std::vector<Row> rows;
  for (const auto& exploration : explorations())
    if (has(exploration.kernel)) one_thread(context, exploration, rows);
  rows.push_back(task_overhead(context, "single", split));
  rows.push_back(task_overhead(context, "block", split_block));
  if (context.world.size() == 2) {
    const bool can_have_threads = has_two_cores(context.world);
    for (const auto& exploration : explorations()) {
      if (!has(exploration.kernel)) continue;
      two_ranks(context, exploration, rows);
      if (can_have_threads) two_threads(context, exploration, rows);
    }
  }
  if (context.world.size() == 1) return rows;
  quiet(context, rows);
  skew(context, rows);
  return rows;
}

const Benchmark registered{"loadbalance", "work stealing against plain loops and even shares",
                           measure};

}  // namespace

}  // namespace cairn::bench
