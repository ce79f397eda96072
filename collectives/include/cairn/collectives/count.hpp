/// The largest count that goes to MPI as it is.
#pragma once

#include <climits>
#include <cstddef>

#include "cairn/core/expects.hpp"

namespace cairn::detail {

/// MPI's counts are ints; what is above goes by derived types or in pieces. Tests lower it.
inline std::size_t max_count = INT_MAX;

/// A count where MPI's int is all there is; above 2^31 - 1 it is an error, in release builds too.
inline int mpi_count(std::size_t count, const char* file = __builtin_FILE(),
                     int line = __builtin_LINE()) {
  expects(count <= static_cast<std::size_t>(INT_MAX), "at most 2^31 - 1 elements per call", file,
          line);
  return static_cast<int>(count);
}

}  // namespace cairn::detail
