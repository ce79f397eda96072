/// How often the program has allocated, and failures on demand. Link allocations.cpp, which
/// replaces operator new; what MPI itself takes from malloc is neither counted nor fails.
#pragma once

#include <cstddef>

namespace cairn::test {

/// Calls of operator new so far, on all threads.
std::size_t allocations();

/// The largest request since the call before, in bytes.
std::size_t largest_allocation();

/// The `n`-th call from now on, on whatever thread, throws std::bad_alloc; 0: none does.
void fail_allocation(long n);

}  // namespace cairn::test
