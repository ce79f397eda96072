// cairn ckpt: looks into a directory of checkpoints.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include "cairn/core/error.hpp"
#include "cairn/core/version.hpp"
#include "ckpt_commands.hpp"
#include "commands.hpp"

namespace cairn::tool {

namespace {

struct Command {
  std::string_view name;
  std::string_view arguments;
  std::string_view summary;
  int (*start)(int, const char* const*);
};

constexpr std::array commands{
    Command{"ls", "DIR", "the epochs, newest last", ckpt_ls_command},
    Command{"show", "DIR [EPOCH]", "what the record of an epoch says", ckpt_show_command},
    Command{"verify", "DIR [EPOCH…]", "read every byte and check every digest",
            ckpt_verify_command},
    Command{"diff", "A B", "compare two epochs, each DIR or DIR:EPOCH", ckpt_diff_command},
    Command{"prune", "DIR --keep N", "remove all but the newest good epochs", ckpt_prune_command},
    Command{"export", "DIR[:EPOCH] OUT.h5", "fields as plain HDF5, or as a picture",
            ckpt_export_command},
    Command{"rekey", "DIR --new-key-file FILE", "encrypt all epochs under another key",
            ckpt_rekey_command},
};

const Command* find(int argc, const char* const* argv) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  const auto* const found = std::find_if(commands.begin(), commands.end(),
                                         [&](const Command& each) { return each.name == word; });
  return found == commands.end() ? nullptr : found;
}

std::string help() {
  std::string text =
      "cairn ckpt: looks into a directory of checkpoints; needs no MPI, and only prune and "
      "rekey change anything\n\nUsage: cairn ckpt COMMAND [OPTION…]\n\nCommands\n";
  for (const auto& command : commands) {
    text += fmt::format("  {:<26}  {}\n", fmt::format("{} {}", command.name, command.arguments),
                        command.summary);
  }
  return text + "\n  cairn ckpt COMMAND --help tells more\n\nExample\n  cairn ckpt ls epochs\n";
}

}  // namespace

std::string ckpt_command_name(int argc, const char* const* argv) {
  const auto* const command = find(argc, argv);
  return command == nullptr ? "ckpt" : fmt::format("ckpt {}", command->name);
}

int ckpt_command(int argc, const char* const* argv) {
  if (const auto* const command = find(argc, argv)) return command->start(argc - 1, argv + 1);
  const std::string_view word = argc > 1 ? argv[1] : "";
  if (word == "--help" || word == "-h") {
    std::fputs(help().c_str(), stdout);
    return 0;
  }
  if (word == "--version") {
    fmt::print("cairn ckpt (Cairn) {}\n", version);
    return 0;
  }
  throw Error(Errc::usage,
              (word.empty() ? "which command?" : fmt::format("unknown command '{}'", word)) +
                  std::string(" (cairn ckpt --help lists all)"));
}

}  // namespace cairn::tool
