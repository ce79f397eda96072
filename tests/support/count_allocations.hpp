/// How often the program has allocated. Link count_allocations.cpp, which replaces operator new by
/// one that counts; what MPI itself takes from malloc is not counted.
#pragma once

#include <cstddef>

namespace cairn::test {

/// Calls of operator new so far, on all threads.
std::size_t allocations();

}  // namespace cairn::test
