// cairn journal: who owns a checkpoint directory.

#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include "cairn/core/error.hpp"
#include "commands.hpp"

namespace cairn::tool {

namespace {

constexpr std::string_view help =
    "cairn journal: the launches of a checkpoint directory; needs no MPI\n\n"
    "Usage: cairn journal COMMAND [OPTION…]\n\nCommands\n"
    "  fence DIR  take the directory from a launch that is gone\n"
    "\n  cairn journal COMMAND --help tells more\n\nExample\n  cairn journal fence epochs\n";

}  // namespace

std::string journal_command_name(int argc, const char* const* argv) {
  return argc > 1 && std::string_view(argv[1]) == "fence" ? "journal fence" : "journal";
}

int journal_command(int argc, const char* const* argv) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  if (word == "fence") return journal_fence_command(argc - 1, argv + 1);
  if (word == "--help" || word == "-h") {
    fmt::print("{}", help);
    return 0;
  }
  throw Error(Errc::usage,
              (word.empty() ? "which command?" : fmt::format("unknown command '{}'", word)) +
                  std::string(" (cairn journal --help lists all)"));
}

}  // namespace cairn::tool
