// cairn-bench NAME…: ratios of ours to a baseline measured in the same run.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "benchmark.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/core/atomic_file.hpp"
#include "cairn/core/error.hpp"
#include "cairn/program/options.hpp"
#include "cairn/program/places.hpp"
#include "cairn/program/program.hpp"
#include "report.hpp"

using namespace cairn;

namespace {

struct Settings {
  std::vector<std::string> names;
  std::filesystem::path json;
  double seconds = 0.5;
  bool strict = false;
  bool list = false;
};

std::string list_of_benchmarks() {
  std::string text;
  for (const auto* benchmark : bench::benchmarks()) {
    text += fmt::format("{:<12} {}\n", benchmark->name(), benchmark->summary());
  }
  return text;
}

/// Every rank has the same settings, so it is everybody's error.
[[noreturn]] void throw_usage(const std::string& message) {
  Error error(Errc::usage, message);
  error.mark_agreed();
  throw error;
}

const bench::Benchmark& find(const std::string& name) {
  std::string known;
  for (const auto* benchmark : bench::benchmarks()) {
    if (name == benchmark->name()) return *benchmark;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", benchmark->name());
  }
  throw_usage(fmt::format("there is no benchmark '{}'; known are {}", name, known));
}

std::vector<const bench::Benchmark*> chosen(const Settings& settings) {
  if (settings.names.empty()) throw_usage("name at least one benchmark; --list shows them");
  if (!(settings.seconds > 0)) throw_usage("--seconds wants a number above 0");
  std::vector<const bench::Benchmark*> list;
  for (const auto& name : settings.names) list.push_back(&find(name));
  return list;
}

int measure(program::Context& context, const Settings& settings) {
  const auto& world = context.world;
  if (settings.list) {
    if (world.is_root()) std::fputs(list_of_benchmarks().c_str(), stdout);
    return 0;
  }
  const auto list = chosen(settings);
  program::check_places(context, {settings.json});
  std::vector<bench::Row> rows;
  bench::Context bench_context{world, context.threads, settings.seconds};
  for (const auto* benchmark : list) {
    context.log.info(fmt::format("measuring {} on {} ranks x {} threads", benchmark->name(),
                                 world.size(), context.threads));
    for (auto& row : benchmark->measure(bench_context)) rows.push_back(std::move(row));
  }
  if (world.is_root()) std::fputs(bench::as_table(rows).c_str(), stdout);
  together(world, [&] {
    if (world.is_root() && !settings.json.empty())
      write_file_atomically(settings.json, bench::as_json(rows));
  });
  const bool all_hold =
      std::all_of(rows.begin(), rows.end(), [](const bench::Row& row) { return row.holds(); });
  return settings.strict && !all_hold ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  program::Options options("cairn-bench", "Ratios of Cairn to a baseline, measured in the same run",
                           "NAME…");
  options.add("json", settings.json, "also write the rows to this file, as JSON")
      .add("seconds", settings.seconds, "about how long to measure each row, in seconds")
      .flag("strict", settings.strict, "exit with 1 when a row misses its target")
      .flag("list", settings.list, "list the benchmarks and exit")
      .positional("name", settings.names, "benchmarks to run");
  return program::run(argc, argv, options,
                      [&](program::Context& context) { return measure(context, settings); });
}
