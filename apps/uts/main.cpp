// cairn-uts: counts the nodes of a tree that nobody knows before it is grown.

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/signals.hpp"
#include "cairn/core/atomic_file.hpp"
#include "cairn/core/error.hpp"
#include "cairn/loadbalance/pool_metrics.hpp"
#include "cairn/loadbalance/work_pool.hpp"
#include "cairn/program/checkpoint_options.hpp"
#include "cairn/program/cpu_time.hpp"
#include "cairn/program/halt.hpp"
#include "cairn/program/pool_heartbeat.hpp"
#include "cairn/program/program.hpp"
#include "explore.hpp"
#include "result.hpp"
#include "sha1.hpp"
#include "tree.hpp"

using namespace cairn;
using namespace uts;

namespace {

struct Settings {
  std::string tree;
  // The raw parameters; their defaults are those of the reference program.
  TreeParameters raw;
  int type = static_cast<int>(raw.type);
  int shape = static_cast<int>(raw.shape);
  std::uint64_t seed = raw.seed;
  std::string kernel = "auto";
  std::string leaves = "push";
  std::string schedule = "stealing";
  std::filesystem::path result;
  bool metrics = false;
  program::CheckpointOptions ckpt;
};

/// An Error that every rank throws alike, because all have the same options.
[[noreturn]] void throw_usage(const std::string& message) {
  Error error(Errc::usage, message);
  error.mark_agreed();
  throw error;
}

std::string names_of_trees() {
  std::string names;
  for (const NamedTree& tree : named_trees())
    names += (names.empty() ? "" : ", ") + std::string(tree.name);
  return names;
}

bool has_raw_parameters(const program::Options& options) {
  for (const char* name :
       {"type", "shape", "depth", "branching", "seed", "probability", "children"})
    if (options.given(name)) return true;
  return false;
}

TreeParameters parameters_of(const Settings& settings, const program::Options& options) {
  if (!settings.tree.empty()) {
    const NamedTree* named = find_tree(settings.tree);
    if (named == nullptr)
      throw_usage("--tree " + settings.tree + " is not known; there are " + names_of_trees());
    if (has_raw_parameters(options))
      throw_usage("--tree has all parameters; give either it or -t -a -d -b -r -q -m");
    return named->parameters;
  }
  if (!has_raw_parameters(options))
    throw_usage("no tree; give --tree, for example: cairn-uts --tree T1, or -t -a -d -b -r -q -m");
  if (settings.seed > std::numeric_limits<std::int32_t>::max())
    throw_usage("--seed is at most 2147483647");
  TreeParameters raw = settings.raw;
  raw.type = static_cast<TreeType>(settings.type);
  raw.shape = static_cast<Shape>(settings.shape);
  raw.seed = static_cast<std::uint32_t>(settings.seed);
  return raw;
}

Leaves leaves_of(const Settings& settings) {
  if (settings.leaves == "push") return Leaves::pushed;
  if (settings.leaves == "count") return Leaves::counted;
  throw_usage("--leaves is push or count, not '" + settings.leaves + "'");
}

/// What rank 0 shows: with counted leaves a task is a node that has children.
std::string label_of(Leaves leaves) {
  return leaves == Leaves::pushed ? "nodes of rank 0" : "nodes with children of rank 0";
}

loadbalance::Policy policy_of(const Settings& settings) {
  if (const auto policy = loadbalance::policy_of(settings.schedule)) return *policy;
  throw_usage("--schedule " + settings.schedule + " is not known; there are " +
              loadbalance::names_of_policies());
}

/// What a checkpoint is of, and another run's is not.
std::string identity_of(const TreeParameters& tree, const std::string& leaves) {
  return fmt::format(
      "type={} shape={} depth={} branching={} seed={} probability={} children={} "
      "leaves={}",
      static_cast<int>(tree.type), static_cast<int>(tree.shape), tree.depth, tree.branching,
      tree.seed, tree.probability, tree.children, leaves);
}

int grow(program::Context& context, const Settings& settings, const program::Options& options) {
  const auto& world = context.world;
  const TreeParameters parameters = parameters_of(settings, options);
  const Leaves leaves = leaves_of(settings);
  const loadbalance::Policy policy = policy_of(settings);
  const Tree tree = together(world, [&] { return Tree(parameters); });
  const Kernel& hash = *together(world, [&] { return &kernel(settings.kernel); });
  settings.ckpt.check_places(context, {settings.result});
  std::optional<AtomicFile> file;  // opened now, so that a bad folder shows before the work
  together(world, [&] {
    if (!settings.result.empty() && world.is_root()) file.emplace(settings.result);
  });

  ckpt::Checkpointer ckpt(
      world, settings.ckpt.resolve(context, "cairn-uts", identity_of(parameters, settings.leaves)));
  TreeRun run(ckpt);
  program::PoolHeartbeat heartbeat(context, label_of(leaves));
  loadbalance::WorkPool pool(
      world,
      {.threads = context.threads,
       .stealing = {.steals = policy == loadbalance::Policy::stealing},
       .pulse =
           [&](const loadbalance::PoolPulse& pulse) { heartbeat.beat(pulse, run.report().tasks); },
       .pulse_seconds = program::PoolHeartbeat::seconds});
  Result result{settings.tree, parameters,     {}, std::string(hash.name), settings.schedule,
                world.size(),  context.threads};
  result.restored_from = run.restore_or(world, roots_of(tree, world));
  result.nodes_before = pool.merged(run.state().results).nodes;
  if (result.restored_from)
    context.log.info(fmt::format("restored from cut {}: {} nodes are counted, {} wait",
                                 *result.restored_from, result.nodes_before, run.tasks_left()));
  barrier(world);
  const auto start = std::chrono::steady_clock::now();
  const double cpu_start = program::process_cpu_seconds();
  const auto counts =
      explore(tree, hash, leaves, pool, run, {.every_tasks = settings.ckpt.cut_every},
              {.policy = policy,
               .weight = [&](const Node& node) { return 1 + tree.expected_below(node); }});
  ckpt.wait();
  heartbeat.finish();
  if (!counts) {
    const auto so_far = pool.merged(run.state().results).nodes;
    program::say_stopped(context, ckpt,
                         {fmt::format("{} nodes, {} wait", so_far, run.tasks_left()), run.cut(),
                          settings.ckpt.directory});
    return stop_exit_code(ckpt.stop_signal());
  }
  result.counts = *counts;
  result.deals = run.deals();
  const std::chrono::duration<double> mine = std::chrono::steady_clock::now() - start;
  result.seconds = all_reduce(world, mine.count(), Maximum{});
  result.cpu_seconds = all_reduce(world, program::process_cpu_seconds() - cpu_start);
  if (settings.metrics) result.reports = loadbalance::gather_reports(world, run.report());
  together(world, [&] {
    if (!world.is_root()) return;
    if (settings.metrics)
      for (const auto& line : loadbalance::lines_of(result.reports)) context.log.info(line);
    print_result(result);
    if (!file) return;
    file->write(to_json(result));
    file->commit();
  });
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  program::PoolHeartbeat::hold_requests();  // before MPI starts threads of its own
  Settings settings;
  program::Options options("cairn-uts",
                           "counts the nodes of an unbalanced tree that grows from hashes");
  options.add("tree", settings.tree, "a tree of known size: " + names_of_trees())
      .hide_default("tree");
  options.add("type,t", settings.type, "0 binomial, 1 geometric, 2 hybrid");
  options.add("shape,a", settings.shape,
              "of geometric trees: 0 linear, 1 exponential, 2 cyclic, 3 fixed");
  options.add("depth,d", settings.raw.depth, "where geometric trees end, or shrink from");
  options.add("branching,b", settings.raw.branching, "expected children of the root");
  options.add("seed,r", settings.seed, "of the root");
  options.add("probability,q", settings.raw.probability,
              "that a node of a binomial tree has children");
  options.add("children,m", settings.raw.children, "how many it has then");
  options.add("kernel", settings.kernel, "SHA-1 by portable, sha_ni, avx512, or auto: the fastest");
  options.add("leaves", settings.leaves,
              "push: leaves wait like all nodes; count: they are counted where they are made");
  options.add("schedule", settings.schedule,
              "how ranks share: " + loadbalance::names_of_policies());
  options.add("result", settings.result, "write counts and times as JSON");
  options.flag("metrics", settings.metrics,
               "how well ranks and threads were used: POP metrics and times of each rank, on "
               "stderr, and in the result file");
  settings.ckpt.declare_with_cuts(options);
  options.example("mpirun -n 4 cairn-uts --tree T1XL --ckpt-dir ckpt --ckpt-interval 10");
  options.example("mpirun -n 2 cairn-uts --tree T1 --threads 1 --result result.json");
  options.example("cairn-uts -t 1 -a 3 -d 10 -b 4 -r 19");
  return program::run(argc, argv, options,
                      [&](program::Context& context) { return grow(context, settings, options); });
}
