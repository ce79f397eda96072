// cairn-clique: a largest clique of a graph, by branch and bound over all threads of all ranks.

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/signals.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/atomic_file.hpp"
#include "cairn/core/error.hpp"
#include "cairn/loadbalance/pool_metrics.hpp"
#include "cairn/program/checkpoint_options.hpp"
#include "cairn/program/halt.hpp"
#include "cairn/program/places.hpp"
#include "cairn/program/pool_heartbeat.hpp"
#include "cairn/program/program.hpp"
#include "dimacs.hpp"
#include "graph.hpp"
#include "result.hpp"
#include "search.hpp"

using namespace cairn;
using namespace clique;

namespace {

struct Settings {
  std::string graph;
  SearchOptions search;
  std::filesystem::path result;
  bool metrics = false;
  program::CheckpointOptions ckpt;
};

void check(const Settings& settings) {
  if (settings.graph.empty())
    throw Error(Errc::usage, "no graph; give --graph, for example: cairn-clique --graph keller4");
  if (settings.search.task_depth < 0 || settings.search.task_depth > 8)
    throw Error(Errc::usage, "--task-depth is 0 to 8");
  if (settings.search.task_nodes < 1) throw Error(Errc::usage, "--task-nodes is at least 1");
  if (settings.search.target < 0) throw Error(Errc::usage, "--target is 0 or more");
}

/// Rank 0 makes or reads it, and all get it. Collective.
Graph graph_of(const Communicator& world, const Settings& settings) {
  Graph graph(0);
  together(world, [&] {
    check(settings);
    if (!world.is_root()) return;
    auto named = named_graph(settings.graph);
    graph = named ? *std::move(named) : read_dimacs(settings.graph);
  });
  const int vertices = bcast(world, graph.vertices());
  std::vector<std::uint64_t> matrix(graph.matrix().begin(), graph.matrix().end());
  bcast(world, into(matrix));
  return {vertices, std::move(matrix)};
}

/// What a checkpoint is of, and another search's is not.
std::string identity_of(const Graph& graph, const SearchOptions& search) {
  return fmt::format("graph={:016x} target={}", graph.digest(), search.target);
}

/// The search is not believed.
void verify(const Graph& graph, const std::vector<int>& members) {
  if (is_clique(graph, members)) return;
  Error error(Errc::internal, "what was found is no clique: a bug of cairn-clique");
  error.mark_agreed();
  throw error;
}

int search(program::Context& context, const Settings& settings) {
  const auto& world = context.world;
  const Graph graph = graph_of(world, settings);
  settings.ckpt.check_places(context, {settings.result}, {settings.graph});
  std::optional<AtomicFile> file;  // opened now, so that a bad folder shows before the work
  together(world, [&] {
    if (!settings.result.empty() && world.is_root()) file.emplace(settings.result);
  });
  SearchOptions options = settings.search;
  options.threads = context.threads;
  options.cut_every = settings.ckpt.cut_every;
  program::PoolHeartbeat heartbeat(context, "tasks of rank 0");
  options.pulse = [&](const loadbalance::PoolPulse& pulse, std::uint64_t before) {
    heartbeat.beat(pulse, before);
  };
  options.pulse_seconds = program::PoolHeartbeat::seconds;
  ckpt::Checkpointer ckpt(
      world, settings.ckpt.resolve(context, "cairn-clique", identity_of(graph, options)));
  const auto start = std::chrono::steady_clock::now();
  Result result{settings.graph, graph.vertices(),
                graph.edges(),  find_clique(world, graph, options, ckpt),
                world.size(),   context.threads};
  ckpt.wait();
  heartbeat.finish();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  verify(graph, result.found.members);
  if (result.found.restored_from)
    context.log.info(fmt::format("has gone on from cut {}", *result.found.restored_from));
  if (world.size() * context.threads > 1)
    context.log.info("the number of nodes, and so the time, differ from run to run");
  if (settings.metrics) {
    const auto reports = loadbalance::gather_reports(world, result.found.report);
    for (const auto& line : loadbalance::lines_of(reports)) context.log.info(line);
  }
  together(world, [&] {
    if (!world.is_root()) return;
    print_result(result);
    if (!file) return;
    file->write(to_json(result));
    file->commit();
  });
  if (!result.found.is_stopped) return 0;
  program::say_stopped(
      context, ckpt,
      {fmt::format("{} nodes", result.found.nodes), result.found.cut, settings.ckpt.directory});
  return stop_exit_code(ckpt.stop_signal());
}

}  // namespace

int main(int argc, char** argv) {
  program::PoolHeartbeat::hold_requests();  // before MPI starts threads of its own
  Settings settings;
  program::Options options("cairn-clique",
                           "finds a largest clique of a graph. The size is the same in every run; "
                           "which clique it is, and how many nodes of the search tree that takes, "
                           "is not, and so times vary beyond what ranks and threads explain");
  options
      .add("graph", settings.graph,
           "hammingN-D, johnsonN-W-D or kellerN (hamming8-4, johnson16-2-4, keller4), or a file in "
           "DIMACS's ASCII format")
      .hide_default("graph");
  options.add("task-depth", settings.search.task_depth,
              "branches of cliques of fewer vertices are tasks, taken by bound; the others are "
              "searched by one thread");
  options.add("task-nodes", settings.search.task_nodes,
              "after so many nodes what is left of such a search becomes tasks again");
  options.add("target", settings.search.target,
              "end when a clique of so many vertices is found; 0: when none can be larger");
  options.add("result", settings.result, "write the clique, nodes and times as JSON");
  options.flag(
      "metrics", settings.metrics,
      "how well ranks and threads were used: POP metrics and times of each rank, on stderr");
  settings.ckpt.declare_with_cuts(options);
  options.example("mpirun -n 4 cairn-clique --graph hamming8-4 --threads 2");
  options.example("cairn-clique --graph johnson32-2-4 --target 16");
  options.example("cairn-clique --graph brock200_1.clq --result result.json");
  return program::run(argc, argv, options,
                      [&](program::Context& context) { return search(context, settings); });
}
