/// The commands of the `cairn` tool. Each gets its own arguments, argv[0] being its name, and
/// returns the exit code; Errors are main's.
#pragma once

#include <string>

namespace cairn::tool {

int run_command(int argc, const char* const* argv);
int info_command(int argc, const char* const* argv);
int ckpt_command(int argc, const char* const* argv);
int journal_command(int argc, const char* const* argv);
int journal_fence_command(int argc, const char* const* argv);
int journal_show_command(int argc, const char* const* argv);
int sim_command(int argc, const char* const* argv);
int sim_steal_command(int argc, const char* const* argv);

/// "ckpt ls" and the like, for messages. @param argv  as for ckpt_command()
[[nodiscard]] std::string ckpt_command_name(int argc, const char* const* argv);
[[nodiscard]] std::string journal_command_name(int argc, const char* const* argv);

}  // namespace cairn::tool
