/// How many OpenMP threads a rank should have.
#pragma once

#include "cairn/collectives/communicator.hpp"

namespace cairn::program {

/// The cores that this rank may use, shared with the ranks of the same node that may use exactly
/// the same cores; at least 1. Collective over `comm`.
///
/// Unbound ranks share the whole node; ranks that mpirun has bound to cores of their own keep them.
[[nodiscard]] int share_of_cores(const Communicator& comm);

/// Decides and sets the number: `wanted` if positive, else OMP_NUM_THREADS if set, else
/// share_of_cores(). Collective over `comm`.
/// @return the number of OpenMP threads from now on
int set_threads(const Communicator& comm, int wanted);

}  // namespace cairn::program
