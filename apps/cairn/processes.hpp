/// The processes below this one, as /proc shows them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace cairn::tool {

/// The living or dead, not yet reaped children of `parent`.
[[nodiscard]] std::vector<pid_t> children_of(pid_t parent);

/// The MPI rank that Open MPI or PMIx gave to a process, by its environment.
[[nodiscard]] std::optional<int> rank_of(pid_t process);

/// Makes orphans of our children ours, so that end_all_children() finds them. Local to the process.
void adopt_orphans();

/// Kills (SIGKILL) and reaps everything that was started below this process; needs adopt_orphans().
/// Returns when nothing is left, after 10 s at the latest.
void end_all_children();

/// Where the shell would find `program`: itself when it has a slash, else along PATH.
///
/// @throws Error{Errc::no_input} when there is none, {permission} when it may not be executed; both
/// messages begin with `what`
void expect_executable(const std::string& program, const std::string& what);

/// `words` as exec() wants them: pointers into them, and a null pointer.
[[nodiscard]] std::vector<char*> exec_arguments(std::vector<std::string>& words);

}  // namespace cairn::tool
