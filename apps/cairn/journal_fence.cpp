// cairn journal fence: an operator takes a checkpoint directory from a launch that is gone.

#include <fmt/format.h>

#include <cstdlib>

#include "cairn/ckpt/inspect.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/program/log.hpp"
#include "ckpt_commands.hpp"
#include "ckpt_text.hpp"
#include "commands.hpp"

namespace cairn::tool {

int journal_fence_command(int argc, const char* const* argv) {
  std::vector<std::string> arguments;
  program::Options options(
      "cairn journal fence",
      "takes a checkpoint directory from the launch that owns it: whatever that launch still saves "
      "does not count, and the next one begins without waiting for it. For when a launch is "
      "refused "
      "(exit code 69) although the owner is gone",
      "DIR", program::Options::Kind::tool);
  options.positional("DIR", arguments, "the checkpoint directory")
      .example("cairn journal fence epochs");
  if (!read_options(options, argc, argv)) return 0;
  expect_arguments(arguments, 1, 1, "DIR");
  if (const char* failpoints = std::getenv("CAIRN_FAILPOINTS")) {
    arm_failpoints(failpoints, 0, launch_number());
  }

  const auto taken = ckpt::take_over(arguments.front());
  if (taken.former_owner.empty()) {
    fmt::print("nobody owns {}; nothing to do\n", arguments.front());
    return 0;
  }
  fmt::print("incarnation {} is fenced: {}\n", taken.former, one_line(taken.former_owner));
  fmt::print("the next launch will be incarnation {}\n", taken.incarnation + 1);
  if (taken.is_former_alive_here) {
    program::Log log("cairn journal fence", program::Level::info, 0, 1);
    log.warning("its process is still running, and ends when it next saves");
  }
  return 0;
}

}  // namespace cairn::tool
