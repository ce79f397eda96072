// cairn ckpt prune: removes all but the newest good epochs.

#include <fmt/format.h>

#include <cstdlib>

#include "cairn/core/failpoint.hpp"
#include "cairn/program/log.hpp"
#include "cairn/program/progress.hpp"
#include "ckpt_commands.hpp"
#include "ckpt_text.hpp"

namespace cairn::tool {

int ckpt_prune_command(int argc, const char* const* argv) {
  int keep = 0;
  bool dry_run = false;
  std::vector<std::string> arguments;
  program::Options options("cairn ckpt prune",
                           "removes every epoch that is older than the newest N good ones, which "
                           "it reads in full first; refuses while a job uses the directory",
                           "DIR --keep N", program::Options::Kind::tool);
  options.add("keep", keep, "how many good epochs stay, at least 1")
      .flag("dry-run", dry_run, "say what would be removed, and remove nothing")
      .positional("DIR", arguments, "the checkpoint directory")
      .example("cairn ckpt prune epochs --keep 1 --dry-run");
  options.hide_default("keep");
  if (!read_options(options, argc, argv)) return 0;
  expect_arguments(arguments, 1, 1, "DIR");
  if (!options.given("keep")) throw Error(Errc::usage, "how many epochs to keep? write --keep 2");
  if (keep < 1) throw Error(Errc::usage, fmt::format("--keep: {} is less than 1", keep));
  if (const char* failpoints = std::getenv("CAIRN_FAILPOINTS")) {
    arm_failpoints(failpoints, 0, launch_number());
  }

  program::Log log("cairn ckpt prune", program::Level::info, 0, 1);
  program::Progress progress(log, "MiB", 0);
  const auto mode = dry_run ? ckpt::PruneOptions::Mode::dry_run : ckpt::PruneOptions::Mode::remove;
  const auto pruned = ckpt::prune(arguments.front(), {keep, mode},
                                  [&](std::uint64_t done) { progress.update(done >> 20); });
  progress.finish();
  for (const auto& [epoch, why] : pruned.damaged) {
    log.warning(fmt::format("epoch {} is damaged and does not count: {}", epoch, one_line(why)));
  }
  if (static_cast<int>(pruned.kept.size()) < keep) {
    fmt::print("nothing to remove: {} of {} good epochs are there\n", pruned.kept.size(), keep);
  }
  for (const auto epoch : pruned.removed) {
    fmt::print("epoch {} {}\n", epoch, dry_run ? "would be removed" : "removed");
  }
  return 0;
}

}  // namespace cairn::tool
