/// What a test that runs under mpirun needs. Use CHECK, not REQUIRE: a rank that leaves early hangs
/// its peers.
#pragma once

#include <doctest/doctest.h>

#include "cairn/collectives/communicator.hpp"

namespace cairn::test {

/// All ranks of this test run.
const Communicator& world();

}  // namespace cairn::test
