// Is the simulator of work stealing right? What a message, a look and a node cost is measured here,
// a run on two ranks is predicted from that, and then made.

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "benchmark.hpp"
#include "cairn/core/expects.hpp"
#include "cairn/core/mpi_error.hpp"
#include "cairn/loadbalance/steal_simulation.hpp"
#include "cairn/loadbalance/work_pool.hpp"
#include "explore.hpp"
#include "sha1.hpp"
#include "tree.hpp"

namespace cairn::bench {

namespace {

using Clock = std::chrono::steady_clock;
using loadbalance::SimulatedCluster;
using loadbalance::SimulationReport;

/// The pool looks at the network so often.
constexpr double seconds_between_looks = 20e-6;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

template <typename Measure>
double median_of(int count, Measure measure) {
  std::vector<double> found;
  for (int i = 0; i < count; ++i) found.push_back(measure());
  return median(found);
}

/// Looks for a message as the pool does.
bool has_come(MPI_Comm comm, MPI_Message& message) {
  int found = 0;
  check_mpi(MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm, &found, &message, MPI_STATUS_IGNORE),
            "MPI_Improbe");
  return found != 0;
}

/// Of an empty message.
void receive(MPI_Comm comm) {
  MPI_Message message = MPI_MESSAGE_NULL;
  while (!has_come(comm, message)) continue;
  check_mpi(MPI_Mrecv(nullptr, 0, MPI_BYTE, &message, MPI_STATUS_IGNORE), "MPI_Mrecv");
}

void send(MPI_Comm comm, int to) {
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Isend(nullptr, 0, MPI_BYTE, to, 1, comm, &request), "MPI_Isend");
  check_mpi(MPI_Wait(&request, MPI_STATUS_IGNORE), "MPI_Wait");
}

/// Seconds there and back, of ranks 0 and 1.
double round_trip(const Communicator& comm) {
  constexpr int turns = 200;
  barrier(comm);
  const auto begin = Clock::now();
  for (int i = 0; i < turns; ++i) {
    if (comm.rank() == 0) send(comm.native(), 1);
    receive(comm.native());
    if (comm.rank() == 1) send(comm.native(), 0);
  }
  return seconds_since(begin) / turns;
}

/// Seconds of a core for a look in vain.
double look(const Communicator& comm) {
  constexpr int looks = 2000;
  const auto begin = Clock::now();
  MPI_Message message = MPI_MESSAGE_NULL;
  for (int i = 0; i < looks; ++i) expects(!has_come(comm.native(), message), "a look in vain");
  return seconds_since(begin) / looks;
}

/// Seconds of a core for a message that is sent.
double sending(const Communicator& comm) {
  constexpr int messages = 100;
  barrier(comm);
  const auto begin = Clock::now();
  if (comm.rank() == 0)
    for (int i = 0; i < messages; ++i) send(comm.native(), 1);
  const double seconds = seconds_since(begin) / messages;
  if (comm.rank() == 1)
    for (int i = 0; i < messages; ++i) receive(comm.native());
  return bcast(comm, seconds);
}

/// Both ranks at once, each alone with the whole tree: a node while the other core works, too; of
/// the mean rate, since a pool gives more to the faster one.
double node(const Communicator& comm, const uts::Tree& tree, const uts::Kernel& kernel) {
  loadbalance::WorkPool alone(comm.split(comm.rank()));
  barrier(comm);
  const auto begin = Clock::now();
  const auto counts = uts::explore(tree, kernel, uts::Leaves::pushed, alone);
  const double rate = static_cast<double>(counts.nodes) / seconds_since(begin);
  return comm.size() / all_reduce(comm, rate);
}

/// What the run on these ranks takes, and how often work has changed hands in it.
struct Made {
  double seconds;
  double steals;
};

Made make(const Communicator& comm, const uts::Tree& tree, const uts::Kernel& kernel,
          loadbalance::WorkPool& pool) {
  barrier(comm);
  const auto begin = Clock::now();
  (void)uts::explore(tree, kernel, uts::Leaves::pushed, pool);
  const double mine = seconds_since(begin);
  return {all_reduce(comm, mine, Maximum{}),
          static_cast<double>(all_reduce(comm, pool.report().stealing.got))};
}

struct Measured {
  SimulatedCluster cluster;
  Made made;
};

/// Nodes and runs in turns, so that both meet the same machine.
Measured measure_all(const Context& context, const uts::Tree& tree, const uts::Kernel& kernel) {
  const auto& comm = context.world;
  const int turns = context.is_trial() ? 1 : 9;
  const double there_and_back = median_of(15, [&] { return round_trip(comm); });
  const double overhead = median_of(15, [&] { return sending(comm); });
  const double poll = median_of(15, [&] { return look(comm); });
  loadbalance::WorkPool pool(comm);
  std::vector<double> nodes;
  std::vector<double> seconds;
  std::vector<double> steals;
  for (int i = 0; i < turns; ++i) {
    nodes.push_back(node(comm, tree, kernel));
    const auto [took, got] = make(comm, tree, kernel, pool);
    seconds.push_back(took);
    steals.push_back(got);
  }
  const double task = median(nodes);
  const double latency = std::max(1e-8, there_and_back / 2 - 2 * overhead);
  return {{.ranks = comm.size(),
           .latency_us = 1e6 * latency,
           .overhead_us = 1e6 * overhead,
           .task_ns = 1e9 * task,
           .poll_tasks = std::max(1, static_cast<int>(seconds_between_looks / task)),
           .poll_ns = 1e9 * poll},
          {median(seconds), mean(steals)}};
}

SimulationReport predict(const SimulatedCluster& cluster, const uts::Tree& tree,
                         const uts::Kernel& kernel, std::uint64_t seed) {
  uts::Expander expander(tree, kernel);
  uts::Counts counts;
  const auto expand = [&](std::span<const uts::Node> nodes,
                          loadbalance::Spawner<uts::Node>& spawner) {
    const auto room = spawner.grow(expander.take(nodes, counts));
    spawner.shrink(room.size() - expander.give(room.data(), counts));
  };
  const uts::Node root = tree.root();
  return loadbalance::simulate<uts::Node>(cluster, {.seed = seed}, std::span(&root, 1), expand);
}

double rounded(double value) { return std::round(100 * value) / 100; }

/// In a trial: of a small tree.
uts::Tree tree_of(const Context& context, const char* name) {
  auto parameters = uts::find_tree(name)->parameters;
  if (context.is_trial()) {
    parameters.depth = 5;
    if (parameters.type == uts::TreeType::binomial) parameters.branching = 20;
  }
  return uts::Tree(parameters);
}

void model(Context& context, const char* name, std::vector<Row>& rows) {
  const uts::Tree tree = tree_of(context, name);
  const auto& kernel = uts::kernel("portable");
  const Measured measured = measure_all(context, tree, kernel);
  const SimulatedCluster& cluster = measured.cluster;
  const Made& made = measured.made;
  const auto predicted = predict(cluster, tree, kernel, 1);
  std::vector<double> stolen;  // few, and so their mean
  for (std::uint64_t seed = 1; seed <= 9; ++seed)
    stolen.push_back(static_cast<double>(predict(cluster, tree, kernel, seed).stealing.got));
  const double steals = mean(stolen);
  const double larger = std::max(predicted.seconds, made.seconds);
  const double smaller = std::min(predicted.seconds, made.seconds);
  const Parameters parameters{{"tree", name},
                              {"latency_us", rounded(cluster.latency_us)},
                              {"overhead_us", rounded(cluster.overhead_us)},
                              {"look_ns", std::round(cluster.poll_ns)},
                              {"node_ns", rounded(cluster.task_ns)},
                              {"predicted_ms", rounded(1e3 * predicted.seconds)},
                              {"made_ms", rounded(1e3 * made.seconds)}};
  // One rank takes as long as its nodes.
  const auto alone = predict({.ranks = 1, .task_ns = cluster.task_ns}, tree, kernel, 1);
  rows.push_back(
      {"steal_model.one_rank",
       {{"tree", name}, {"nodes", std::to_string(alone.tasks)}},
       {std::max(alone.seconds, alone.work_seconds), std::min(alone.seconds, alone.work_seconds)},
       1.0});
  rows.push_back({"steal_model.time", parameters, {larger, smaller}, 1.15});
  rows.push_back({"steal_model.steals",
                  {{"tree", name}, {"predicted", rounded(steals)}, {"made", rounded(made.steals)}},
                  {std::max(steals, made.steals), std::max(1.0, std::min(steals, made.steals))},
                  2.0});
}

std::vector<Row> measure(Context& context) {
  std::vector<Row> rows;
  if (context.world.size() != 2) return rows;
  for (const char* tree : {"T1", "T3"}) model(context, tree, rows);
  return rows;
}

const Benchmark steal_model{
    "steal_model", "two ranks of a work pool against their simulation; needs 2 ranks", measure};

}  // namespace

}  // namespace cairn::bench
