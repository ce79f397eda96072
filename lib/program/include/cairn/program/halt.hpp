/// What a program with checkpoints says when a stop signal has ended its work.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/program/program.hpp"

namespace cairn::program {

/// Where a program was when a stop signal ended its work.
struct Halt {
  std::string where;                      ///< for people: "step 34"
  std::uint64_t step = 0;                 ///< that was to be saved then
  const std::filesystem::path& ckpt_dir;  ///< empty: nothing is saved
};

/// Says on rank 0 that the signal of `ckpt` ended the work, what of it is saved, and how to go on.
/// Local.
void say_stopped(const Context& context, const ckpt::Checkpointer& ckpt, const Halt& halt);

}  // namespace cairn::program
