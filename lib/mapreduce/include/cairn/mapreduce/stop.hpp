/// Stopping on request: an Error that all ranks throw together.
#pragma once

#include <string_view>

#include "cairn/collectives/communicator.hpp"

namespace cairn::mapreduce {

/// Throws the agreed Error of a job that was asked to stop by `signal` (the same on every rank)
/// while it was `doing` something: run_again, for Ctrl-C interrupted. Local.
[[noreturn]] void throw_stopped(int signal, std::string_view doing);

}  // namespace cairn::mapreduce
