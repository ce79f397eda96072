// cairn-queens: in how many ways n queens stand on a board of n × n, none attacking another.

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/atomic_file.hpp"
#include "cairn/core/error.hpp"
#include "cairn/loadbalance/pool_metrics.hpp"
#include "cairn/loadbalance/work_pool.hpp"
#include "cairn/program/cpu_time.hpp"
#include "cairn/program/places.hpp"
#include "cairn/program/pool_heartbeat.hpp"
#include "cairn/program/program.hpp"
#include "count.hpp"
#include "result.hpp"

using namespace cairn;
using namespace queens;

namespace {

/// The nodes of larger boards would take years, and soon more than 64 bits.
constexpr int largest_n = 24;

struct Settings {
  int n = 0;
  int depth = 0;
  std::filesystem::path result;
  bool metrics = false;
};

void check(const program::Context& context, const Settings& settings,
           const program::Options& options) {
  const auto refuse = [&](const std::string& why) {
    throw_agreed(context.world, Errc::usage, why);
  };
  if (!options.given("n")) refuse("no board; give its side, for example: cairn-queens --n 12");
  if (settings.n < 1 || settings.n > largest_n)
    refuse("--n is 1 to " + std::to_string(largest_n) + ", not " + std::to_string(settings.n));
  if (settings.depth < 0 || settings.depth > settings.n)
    refuse("--depth is 0 to --n, not " + std::to_string(settings.depth));
  program::check_places(context, {settings.result});
}

int search(program::Context& context, const Settings& settings, const program::Options& options) {
  const auto& world = context.world;
  check(context, settings, options);
  program::PoolHeartbeat heartbeat(context, "tasks of rank 0");
  loadbalance::WorkPool pool(world,
                             {.threads = context.threads,
                              .pulse =
                                  [&](const loadbalance::PoolPulse& pulse) {
                                    program::throw_if_stopped();  // also where there is no task
                                    heartbeat.beat(pulse);
                                  },
                              .pulse_seconds = program::PoolHeartbeat::seconds});
  Result result{.n = settings.n,
                .depth = options.given("depth") ? settings.depth : depth_for(settings.n),
                .counts = {},
                .ranks = world.size(),
                .threads = context.threads};
  context.log.info(fmt::format("{} queens, tasks of {} rows; {} ranks of {} threads", result.n,
                               result.depth, result.ranks, result.threads));
  barrier(world);
  const auto start = std::chrono::steady_clock::now();
  const double cpu_start = program::process_cpu_seconds();
  result.counts = count(Board(settings.n), result.depth, pool);
  heartbeat.finish();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.cpu_seconds = all_reduce(world, program::process_cpu_seconds() - cpu_start);
  if (settings.metrics) {
    const auto reports = loadbalance::gather_reports(world, pool.report());
    for (const auto& line : loadbalance::lines_of(reports)) context.log.info(line);
  }
  together(world, [&] {
    if (!world.is_root()) return;
    print_result(result);
    if (!settings.result.empty()) write_file_atomically(settings.result, to_json(result));
  });
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  program::PoolHeartbeat::hold_requests();  // before MPI starts threads of its own
  Settings settings;
  program::Options options("cairn-queens",
                           "counts the ways to place n queens, none attacking another");
  options.add("n,n", settings.n, "queens, and squares along a side of the board: 1 to 24")
      .hide_default("n");
  options
      .add("depth", settings.depth,
           "rows after which a placement is counted in one go; without it, it depends on --n")
      .hide_default("depth");
  options.add("result", settings.result, "write counts and times as JSON");
  options.flag(
      "metrics", settings.metrics,
      "how well ranks and threads were used: POP metrics and times of each rank, on stderr");
  options.example("mpirun -n 2 cairn-queens --n 14 --threads 1 --result result.json");
  return program::run(argc, argv, options, [&](program::Context& context) {
    return search(context, settings, options);
  });
}
