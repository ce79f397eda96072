// cairn: runs MPI programs through crashes, and tells about this installation.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include "cairn/core/error.hpp"
#include "cairn/core/version.hpp"
#include "cairn/program/program.hpp"
#include "commands.hpp"

namespace {

using namespace cairn;

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*start)(int, const char* const*);
};

constexpr std::array commands{
    Command{"run", "start an MPI program, and start it again when it crashes", tool::run_command},
    Command{"info", "what this installation is, and its settings", tool::info_command},
    Command{"ckpt", "list, verify, compare, prune and export checkpoints", tool::ckpt_command},
    Command{"journal", "what has happened to a job; take its directory from a launch that is gone",
            tool::journal_command},
    Command{"sim", "run protocols through simulated faults", tool::sim_command},
};

std::string help() {
  auto text = std::string(
      "cairn: runs MPI programs through crashes\n\nUsage: cairn COMMAND [OPTION…]\n\nCommands\n");
  for (const auto& command : commands)
    text += fmt::format("  {:<8}{}\n", command.name, command.summary);
  return text +
         "\n  cairn COMMAND --help tells more; cairn --version prints the version\n\nExample\n"
         "  cairn run -n 4 -- cairn-heat --ckpt-dir epochs --ckpt-every 100\n";
}

int dispatch(int argc, const char* const* argv) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  if (word == "--help" || word == "-h") {
    std::fputs(help().c_str(), stdout);
    return 0;
  }
  if (word == "--version") {
    fmt::print("cairn (Cairn) {}\n", version);
    return 0;
  }
  const auto* const command = std::find_if(commands.begin(), commands.end(),
                                           [&](const Command& each) { return each.name == word; });
  if (command != commands.end()) return command->start(argc - 1, argv + 1);
  throw Error(Errc::usage,
              (word.empty() ? "which command?" : fmt::format("unknown command '{}'", word)) +
                  std::string(" (cairn --help lists all)"));
}

std::string name_for_messages(int argc, const char* const* argv) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  if (word == "ckpt") return "cairn " + tool::ckpt_command_name(argc - 1, argv + 1);
  if (word == "journal") return "cairn " + tool::journal_command_name(argc - 1, argv + 1);
  return word == "run" || word == "info" || word == "sim" ? fmt::format("cairn {}", word) : "cairn";
}

}  // namespace

int main(int argc, char** argv) {
  const auto name = name_for_messages(argc, argv);
  try {
    const int code = dispatch(argc, argv);
    if (code == 0) program::expect_printed();
    return code;
  } catch (const Error& error) {
    fmt::print(stderr, "{}: error: {}\n", name, error.what());
    return error.exit_code();
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: error: {}\n", name, error.what());
    return static_cast<int>(Errc::internal);
  }
}
