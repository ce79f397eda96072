// cairn journal: what has happened to a job, and who owns a checkpoint directory.

#include <string_view>

#include "commands.hpp"

namespace cairn::tool {

std::string journal_command_name(int argc, const char* const* argv) {
  return argc > 1 && std::string_view(argv[1]) == "fence" ? "journal fence" : "journal";
}

int journal_command(int argc, const char* const* argv) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  if (word == "fence") return journal_fence_command(argc - 1, argv + 1);
  return journal_show_command(argc, argv);
}

}  // namespace cairn::tool
