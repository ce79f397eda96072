/// MPI return codes as Error.
#pragma once

namespace cairn {

namespace detail {
[[noreturn]] void throw_mpi(int code, const char* call);
}

/// Throws Error{mpi_failure} with MPI's own explanation unless `code` is MPI_SUCCESS (0).
///
/// @param call  the MPI function, for the message
/// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
inline void check_mpi(int code, const char* call) {
  if (code != 0) [[unlikely]] {
    detail::throw_mpi(code, call);
  }
}

}  // namespace cairn
