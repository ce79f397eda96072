// cairn info: what this installation is, and its settings.

#include <fmt/format.h>
#include <mpi.h>
#include <sched.h>

#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cairn/collectives/node_engine.hpp"
#include "cairn/collectives/runtime.hpp"
#include "cairn/core/version.hpp"
#include "cairn/program/options.hpp"
#include "commands.hpp"
#include "settings.hpp"

namespace cairn::tool {

namespace {

using Json = nlohmann::ordered_json;

int cores() {
  cpu_set_t mine;
  CPU_ZERO(&mine);
  return sched_getaffinity(0, sizeof mine, &mine) == 0 ? CPU_COUNT(&mine) : 1;
}

std::string compiler() {
#if defined(__clang__)
  return fmt::format("clang {}", __clang_version__);
#else
  return fmt::format("g++ {}", __VERSION__);
#endif
}

/// The MPI library that is linked; may be asked before MPI_Init.
std::string mpi_library() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(text, &length);
  std::string line(text, static_cast<std::size_t>(length));
  return line.substr(0, line.find_first_of(",\n"));
}

Json facts() {
  return {{"version", std::string(version)},
          {"compiler", compiler()},
          {"mpi_standard", fmt::format("{}.{}", MPI_VERSION, MPI_SUBVERSION)},
          {"mpi_library", mpi_library()},
          {"mpi_thread_level", "MPI_THREAD_FUNNELED"},
          {"cores", cores()}};
}

Json setting_rows() {
  auto rows = Json::array();
  for (const auto& setting : settings()) {
    const char* value = std::getenv(setting.name);
    rows.push_back({{"name", setting.name},
                    {"meaning", setting.meaning},
                    {"value", value == nullptr    ? Json()
                              : setting.is_secret ? Json("a secret")
                                                  : Json(value)}});
  }
  return rows;
}

void print_facts(const Json& info) {
  fmt::print("version           {}\n", info["version"].get<std::string>());
  fmt::print("compiler          {}\n", info["compiler"].get<std::string>());
  fmt::print("MPI               {} (standard {}; programs ask for {})\n",
             info["mpi_library"].get<std::string>(), info["mpi_standard"].get<std::string>(),
             info["mpi_thread_level"].get<std::string>());
  fmt::print("cores             {}\n", info["cores"].get<int>());
}

void print_settings(const Json& rows) {
  for (const auto& row : rows) {
    fmt::print("{:<22}{}\n{:<22}{}\n", row["name"].get<std::string>(),
               row["meaning"].get<std::string>(), "",
               row["value"].is_null() ? "not set" : "now: " + row["value"].get<std::string>());
  }
  fmt::print(
      "\nEvery option of a program is a setting too: --ckpt-dir is CAIRN_CKPT_DIR (PROGRAM "
      "--help).\n");
}

/// Measures on the ranks of this job, however many; the table is rank 0's.
void print_node_engine() {
  const Runtime runtime({.signals = RuntimeOptions::Signals::leave_alone});
  NodeEngine engine(runtime.world());
  const auto report = engine.measure();
  if (runtime.world().is_root()) fmt::print("{}", as_text(report));
}

constexpr const char* failpoints_text =
    "Failpoints belong to a program: PROGRAM --list-failpoints prints its own. For example\n"
    "CAIRN_FAILPOINTS=\"heat.step=kill,rank=2,hit=120,launch=0\" kills rank 2 of the first launch "
    "at the\n"
    "120th step. Actions: kill, stall:SECONDS, throw, EACCES EDQUOT EINTR EIO ENOSPC EROFS; "
    "conditions:\n"
    "rank=R, hit=N (from 1), launch=L (from 0). Several are separated by ';'.\n";

}  // namespace

int info_command(int argc, const char* const* argv) {
  bool show_settings = false;
  bool show_failpoints = false;
  bool show_node_engine = false;
  bool as_json = false;
  program::Options options("cairn info", "what this installation is, and its settings", "",
                           program::Options::Kind::tool);
  options.flag("settings", show_settings, "all CAIRN_* settings, their meaning and their value now")
      .flag("failpoints", show_failpoints, "how a program is made to fail on purpose")
      .flag("node-engine", show_node_engine,
            "measure shared-memory collectives against MPI's: mpirun -n 2 cairn info --node-engine")
      .flag("json", as_json, "everything as one JSON object");
  options.parse(argc, argv);
  if (options.general().help || options.general().version) {
    std::cout << (options.general().help ? options.help() : options.version_line());
    return 0;
  }
  if (as_json) {
    auto info = facts();
    info["settings"] = setting_rows();
    std::cout << info.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    return 0;
  }
  if (show_node_engine) {
    print_node_engine();
    return 0;
  }
  if (show_settings) print_settings(setting_rows());
  if (show_failpoints) fmt::print("{}", failpoints_text);
  if (!show_settings && !show_failpoints) print_facts(facts());
  return 0;
}

}  // namespace cairn::tool
