/// Calls that do not match between ranks, for the program of misuse.cpp.
#pragma once

#include "cairn/collectives/communicator.hpp"

namespace cairn::test {

/// Makes one mistake. Collective, as all here.
/// @return  the exit code of its error
int one_mismatch(const Communicator& comm);

/// Makes one mistake after the other, and tells their errors.
int all_mismatches(const Communicator& comm);

/// Calls that match, though they do not look alike on all ranks.
int right_calls(const Communicator& comm);

}  // namespace cairn::test
