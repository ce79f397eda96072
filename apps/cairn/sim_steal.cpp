// cairn sim steal: work stealing on ranks that do not exist, with the tasks of a real tree.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "cairn/core/atomic_file.hpp"
#include "cairn/core/error.hpp"
#include "cairn/loadbalance/steal_simulation.hpp"
#include "cairn/loadbalance/steal_trial.hpp"
#include "cairn/program/options.hpp"
#include "cairn/program/places.hpp"
#include "commands.hpp"
#include "explore.hpp"
#include "sha1.hpp"
#include "tree.hpp"

namespace cairn::tool {

namespace {

using namespace loadbalance;
using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct Arguments {
  std::string tree = "T1";
  SimulatedCluster cluster{.ranks = 64};
  StealOptions stealing;
  std::uint64_t schedules = 0;
  std::uint64_t seed = 1;
  std::string mutant = "none";
  std::filesystem::path picture;
  bool as_json = false;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// --- a run -------------------------------------------------------------------------------------

const uts::NamedTree& tree_of(const Arguments& arguments) {
  if (const auto* tree = uts::find_tree(arguments.tree)) return *tree;
  std::string names;
  for (const auto& tree : uts::named_trees())
    names += (names.empty() ? "" : ", ") + std::string(tree.name);
  throw Error(Errc::usage, "--tree " + arguments.tree + " is not known; there are " + names);
}

void check(const SimulatedCluster& cluster) {
  const auto expect = [](bool holds, const char* what) {
    if (!holds) throw Error(Errc::usage, what);
  };
  expect(cluster.ranks > 0 && cluster.ranks <= 1 << 16, "--ranks is from 1 to 65536");
  constexpr double most = 1e9;  // a second, or a quarter of an hour
  expect(cluster.latency_us >= 1e-3 && cluster.latency_us <= most,
         "--latency-us is from 0.001 to 1e9");
  expect(cluster.overhead_us >= 0 && cluster.overhead_us <= most && cluster.poll_ns >= 0 &&
             cluster.poll_ns <= most,
         "--overhead-us and --poll-ns are from 0 to 1e9");
  expect(cluster.task_ns > 0 && cluster.task_ns <= most, "--node-ns is above 0, and at most 1e9");
  expect(cluster.poll_tasks >= 1, "--poll-nodes is 1 or more");
}

/// The simulated clock counts picoseconds in 64 bits.
void check_time(const SimulatedCluster& cluster, std::uint64_t nodes) {
  constexpr double most_ns = 9e15;  // 104 days, and just below 2^63 ps
  if (static_cast<double>(nodes) * (cluster.task_ns + cluster.poll_ns) > most_ns)
    throw Error(Errc::usage, fmt::format("--node-ns and --poll-ns times {} nodes is above {:g} ns",
                                         nodes, most_ns));
}

SimulationReport simulate_tree(const Arguments& arguments, std::size_t bins) {
  const uts::Tree tree(tree_of(arguments).parameters);
  uts::Expander expander(tree, uts::kernel("auto"));
  uts::Counts counts;
  const auto expand = [&](std::span<const uts::Node> nodes, Spawner<uts::Node>& spawner) {
    const auto room = spawner.grow(expander.take(nodes, counts));
    spawner.shrink(room.size() - expander.give(room.data(), counts));
  };
  const uts::Node root = tree.root();
  return simulate<uts::Node>(arguments.cluster, arguments.stealing, std::span(&root, 1), expand,
                             bins);
}

std::string text_of(const Arguments& arguments, const SimulationReport& report, double seconds) {
  const auto& cluster = arguments.cluster;
  const auto& stealing = report.stealing;
  return fmt::format(
      "tree: {} on {} ranks, {} us latency, {} us a message, {} ns a node\n"
      "nodes: {} (as published)\nefficiency: {:.4f}\ntime: {:.4f} ms (ideal {:.4f} ms)\n"
      "termination: {:.4f} ms\nsteals: {} won of {} tried, {} gifts\nmessages: {}\nbytes: "
      "{}\nwaves: {}\n"
      "rate: {:.1f} million nodes/s simulated\n",
      arguments.tree, cluster.ranks, cluster.latency_us, cluster.overhead_us, cluster.task_ns,
      report.tasks, report.efficiency(cluster.ranks), 1e3 * report.seconds,
      1e3 * report.work_seconds / cluster.ranks, 1e3 * report.termination_seconds(), stealing.won(),
      stealing.asked, stealing.gifts, stealing.messages, stealing.bytes_got,
      stealing.waves / static_cast<std::uint64_t>(cluster.ranks),
      1e-6 * static_cast<double>(report.tasks) / seconds);
}

Json json_of(const Arguments& arguments, const SimulationReport& report, double seconds) {
  const auto& cluster = arguments.cluster;
  return Json{{"tree", arguments.tree},
              {"ranks", cluster.ranks},
              {"latency_us", cluster.latency_us},
              {"overhead_us", cluster.overhead_us},
              {"node_ns", cluster.task_ns},
              {"poll_nodes", cluster.poll_tasks},
              {"poll_ns", cluster.poll_ns},
              {"nodes", report.tasks},
              {"efficiency", report.efficiency(cluster.ranks)},
              {"simulated_seconds", report.seconds},
              {"termination_seconds", report.termination_seconds()},
              {"asked", report.stealing.asked},
              {"asked_on_host", report.stealing.asked_on_host},
              {"steals", report.stealing.got},
              {"won", report.stealing.won()},
              {"gifts", report.stealing.gifts},
              {"messages", report.stealing.messages},
              {"bytes", report.stealing.bytes_got},
              {"seconds", seconds}};
}

// --- its picture -------------------------------------------------------------------------------

constexpr std::size_t columns = 300;
constexpr std::size_t most_rows = 64;

/// Light: idle; dark: busy.
std::string colour_of(double busy) {
  const auto mix = [&](double light, double dark) {
    return static_cast<int>(std::lround(light + (dark - light) * std::clamp(busy, 0.0, 1.0)));
  };
  return fmt::format("#{:02x}{:02x}{:02x}", mix(247, 8), mix(240, 81), mix(225, 156));
}

/// Ranks from the top, time from the left; ranks that share a row are averaged.
std::string picture_of(const Arguments& arguments, const SimulationReport& report) {
  const auto ranks = static_cast<std::size_t>(arguments.cluster.ranks);
  const std::size_t rows = std::min(ranks, most_rows);
  constexpr int left = 60, top = 40, width = 3, height = 6;
  auto svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" "
      "fill=\"white\"/>\n<text x=\"{}\" y=\"22\">{} on {} ranks: efficiency {:.3f}; dark is busy"
      "</text>\n",
      left + width * static_cast<int>(columns) + 20, top + height * static_cast<int>(rows) + 40,
      left, arguments.tree, ranks, report.efficiency(arguments.cluster.ranks));
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t first = row * ranks / rows;
    const std::size_t last = (row + 1) * ranks / rows;
    for (std::size_t at = 0; at < columns;) {
      const auto level_at = [&](std::size_t column) {
        double sum = 0;
        for (std::size_t r = first; r < last; ++r) sum += report.busy[r * columns + column];
        return std::lround(16 * sum / static_cast<double>(last - first));
      };
      const auto level = level_at(at);
      std::size_t next = at + 1;
      while (next < columns && level_at(next) == level) ++next;
      svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>\n",
                         left + width * static_cast<int>(at), top + height * static_cast<int>(row),
                         width * static_cast<int>(next - at), height,
                         colour_of(static_cast<double>(level) / 16));
      at = next;
    }
  }
  const int bottom = top + height * static_cast<int>(rows);
  svg += fmt::format(
      "<text x=\"{0}\" y=\"{1}\" text-anchor=\"end\">0</text>\n<text x=\"{0}\" y=\"{2}\" "
      "text-anchor=\"end\">{3}</text>\n<text x=\"{4}\" y=\"{5}\">0</text>\n<text x=\"{6}\" "
      "y=\"{5}\" text-anchor=\"end\">{7:.3f} ms</text>\n</svg>\n",
      left - 6, top + 10, bottom, ranks - 1, left, bottom + 18,
      left + width * static_cast<int>(columns), 1e3 * report.seconds);
  return svg;
}

int run_tree(const Arguments& arguments) {
  check(arguments.cluster);
  loadbalance::check(arguments.stealing);
  const auto expected = tree_of(arguments).size.nodes;
  check_time(arguments.cluster, expected);
  program::expect_places({arguments.picture});
  const auto start = Clock::now();
  const auto report = simulate_tree(arguments, arguments.picture.empty() ? 0 : columns);
  const double seconds = seconds_since(start);
  if (report.tasks != expected)
    throw Error(Errc::internal, fmt::format("the simulation counts {} nodes, and {} has {}",
                                            report.tasks, arguments.tree, expected));
  std::cout << (arguments.as_json ? json_of(arguments, report, seconds).dump(2) + "\n"
                                  : text_of(arguments, report, seconds));
  if (!arguments.picture.empty())
    write_file_atomically(arguments.picture, picture_of(arguments, report));
  return 0;
}

// --- schedules ---------------------------------------------------------------------------------

StealMutant mutant_of(const std::string& name) {
  std::string names;
  for (const auto mutant : all_steal_mutants()) {
    if (name == name_of(mutant)) return mutant;
    names += (names.empty() ? "" : ", ") + std::string(name_of(mutant));
  }
  throw Error(Errc::usage, "unknown mutant '" + name + "' (" + names + ")");
}

int run_schedules(const Arguments& arguments) {
  if (arguments.cluster.ranks < 1 || arguments.cluster.ranks > 1024)
    throw Error(Errc::usage, "--schedules are for 1 to 1024 ranks");
  const auto start = Clock::now();
  const auto sum =
      try_many_steals(arguments.seed, arguments.schedules,
                      {.ranks = arguments.cluster.ranks, .mutant = mutant_of(arguments.mutant)});
  const double seconds = seconds_since(start);
  if (arguments.as_json) {
    Json json{{"ranks", arguments.cluster.ranks},
              {"mutant", arguments.mutant},
              {"schedules", sum.schedules},
              {"steps", sum.steps},
              {"messages", sum.messages},
              {"pauses", sum.pauses},
              {"stops", sum.stops},
              {"violations", sum.violations},
              {"failing_seed", nullptr},
              {"violation", sum.violation},
              {"seconds", seconds}};
    if (sum.failing_seed) json["failing_seed"] = *sum.failing_seed;
    std::cout << json.dump(2) << "\n";
  } else {
    fmt::print(
        "schedules: {}\nsteps: {}\nmessages: {}\npauses: {}\nstops: {}\nviolations: {}\n"
        "rate: {:.2f} million steps/s\n",
        sum.schedules, sum.steps, sum.messages, sum.pauses, sum.stops, sum.violations,
        1e-6 * static_cast<double>(sum.steps) / seconds);
    if (sum.failing_seed)
      fmt::print("first violation: seed {}: {}\n", *sum.failing_seed, sum.violation);
  }
  return sum.violations == 0 ? 0 : static_cast<int>(Errc::internal);
}

}  // namespace

int sim_steal_command(int argc, const char* const* argv) {
  Arguments given;
  program::Options options("cairn sim steal", "work stealing on simulated ranks", "",
                           program::Options::Kind::tool);
  options.add("tree", given.tree, "whose nodes are the tasks: T1, T1L, … as of cairn-uts")
      .add("ranks", given.cluster.ranks, "simulated ranks")
      .add("latency-us", given.cluster.latency_us, "microseconds that a message travels")
      .add("overhead-us", given.cluster.overhead_us,
           "microseconds of a core for each message sent or received")
      .add("node-ns", given.cluster.task_ns, "nanoseconds of a core for each node")
      .add("poll-nodes", given.cluster.poll_tasks, "nodes between two looks at the network")
      .add("poll-ns", given.cluster.poll_ns, "nanoseconds of a core for each look")
      .add("ranks-per-host", given.stealing.ranks_per_host,
           "consecutive ranks that ask each other first; 0: no hosts")
      .add("host-tries", given.stealing.host_tries, "that many of them")
      .add("random-tries", given.stealing.random_tries, "ranks asked at random before one waits")
      .add("least-work-us", given.stealing.least_work_us,
           "microseconds of tasks that a rank keeps for itself")
      .add("seed", given.seed, "of the random victims, or of the first schedule")
      .add("picture", given.picture, "SVG of who was busy when")
      .add("schedules", given.schedules,
           "instead of a tree: so many random schedules of small runs, each judged")
      .add("mutant", given.mutant, "with --schedules: a mistake to plant, for example two-counters")
      .flag("json", given.as_json, "the result as one JSON object")
      .example("cairn sim steal --tree T1L --ranks 1024 --picture busy.svg")
      .example("cairn sim steal --schedules 100000 --ranks 6");
  options.parse(argc, argv);
  if (options.general().help || options.general().version) {
    std::cout << (options.general().help ? options.help() : options.version_line());
    return 0;
  }
  if (given.schedules > 0) {
    for (const char* name :
         {"tree", "latency-us", "overhead-us", "node-ns", "poll-nodes", "poll-ns", "ranks-per-host",
          "host-tries", "random-tries", "least-work-us", "picture"})
      if (options.given(name))
        throw Error(Errc::usage, fmt::format("--{} is for a tree, not for --schedules", name));
  } else if (options.given("mutant")) {
    throw Error(Errc::usage, "--mutant is for --schedules, not for a tree");
  }
  given.stealing.seed = given.seed;
  return given.schedules > 0 ? run_schedules(given) : run_tree(given);
}

}  // namespace cairn::tool
