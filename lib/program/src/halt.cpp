#include "cairn/program/halt.hpp"

#include <fmt/format.h>

#include <csignal>

#include "cairn/collectives/signals.hpp"

namespace cairn::program {

void say_stopped(const Context& context, const ckpt::Checkpointer& ckpt, const Halt& halt) {
  const int signal = ckpt.stop_signal();
  const auto why = signal == SIGXCPU ? "before the time limit"
                                     : fmt::format("on request ({})", name_of_signal(signal));
  const auto stopped = fmt::format("stopped {} at {}", why, halt.where);
  if (ckpt.saved_step() == halt.step && !halt.ckpt_dir.empty())
    return context.log.info(stopped + ", which is saved; run the same command again to go on");
  if (!context.world.is_root()) return;
  if (halt.ckpt_dir.empty()) {
    context.log.warning(stopped + "; nothing was saved, since there is no --ckpt-dir");
  } else if (const auto older = ckpt.epoch()) {
    context.log.warning(fmt::format(
        "{}, which could not be saved; run the same command again to go on from epoch {}", stopped,
        *older));
  } else {
    context.log.warning(stopped + ", which could not be saved; the same command begins again");
  }
}

}  // namespace cairn::program
