/// Why a launch failed before the program could say anything.
#pragma once

#include <optional>
#include <string>

#include "launch.hpp"

namespace cairn::tool {

/// "signal 9 (Killed)" or "exit code 69".
[[nodiscard]] std::string describe_exit(int exit_code);

/// Whether a job that ended so has crashed, and is worth another launch: killed by a signal, or 69.
/// All other codes are the program's own verdict.
[[nodiscard]] bool is_crash(int exit_code);

/// Whether mpirun has lost a machine of a Slurm job of several: a launch in the same allocation
/// would wait for it, for minutes, until Slurm gives it up. The job has to be requeued, which is
/// the batch script's affair.
[[nodiscard]] bool is_lost_node(int exit_code);

/// What mpirun says when it cannot even start `true` on as many ranks: not enough slots, started as
/// root and the like. Nothing when it can. `cairn run` keeps mpirun quiet, since it would explain
/// at length every exit code that is not 0; so a launch that failed for mpirun's reasons failed
/// silently.
[[nodiscard]] std::optional<std::string> ask_mpirun(const LaunchPlan& plan);

}  // namespace cairn::tool
