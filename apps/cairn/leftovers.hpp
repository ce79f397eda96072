/// What a killed MPI job leaves behind.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

namespace cairn::tool {

/// Removes Open MPI's shared-memory files in `folder` that belong to this user and that no process
/// has mapped: ranks that were killed cannot do it. A file must be found unmapped twice, 50 ms
/// apart, so that one that another job is just making stays.
/// @return the number of files removed
std::size_t remove_unmapped_segments(const std::string& folder = "/dev/shm");

/// Removes the session directory of an mpirun that has ended, if it left one.
void remove_session(pid_t mpirun);

}  // namespace cairn::tool
