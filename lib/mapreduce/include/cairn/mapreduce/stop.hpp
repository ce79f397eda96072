/// Stopping on request: an Error that all ranks throw together.
#pragma once

#include <string_view>

#include "cairn/collectives/communicator.hpp"

namespace cairn::mapreduce {

/// Throws the agreed Error of a job whose ranks of `comm` were asked to stop by `signal` (the same
/// on every rank) while `doing` something: run_again, for Ctrl-C interrupted. Called by every rank
/// of `comm`; nobody waits.
[[noreturn]] void throw_stopped(const Communicator& comm, int signal, std::string_view doing);

}  // namespace cairn::mapreduce
