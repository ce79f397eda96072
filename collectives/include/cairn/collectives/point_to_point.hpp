/// Blocking point-to-point messages on spans. All local; sizes are checked against MPI's int
/// counts.
#pragma once

#include <mpi.h>

#include <climits>
#include <cstddef>
#include <span>

#include "cairn/collectives/communicator.hpp"
#include "cairn/collectives/datatype.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"

namespace cairn {

namespace detail {

/// A count as MPI takes it; above 2^31 - 1 elements it is an error, in release builds too.
inline int mpi_count(std::size_t count, const char* file = __builtin_FILE(),
                     int line = __builtin_LINE()) {
  expects(count <= static_cast<std::size_t>(INT_MAX), "at most 2^31 - 1 elements per call", file,
          line);
  return static_cast<int>(count);
}

inline void expect_rank(const Communicator& comm, int rank) {
  // Rank -1 is MPI_PROC_NULL and -2 MPI_ANY_SOURCE: a wrong index would go through silently.
  expects(rank >= 0 && rank < comm.size(), "a rank of the communicator");
}

}  // namespace detail

/// What a receive got.
struct Received {
  int source = 0;
  int tag = 0;
  std::size_t count = 0;  ///< elements
};

/// Sends `data` (shape [n], n ≥ 0) to rank `destination` under `tag` (≥ 0). Returns when `data` may
/// be reused.
/// @throws Error{Errc::mpi_failure, internal} on this rank
template <Element T>
void send(const Communicator& comm, std::span<const T> data, int destination, int tag = 0) {
  detail::expect_rank(comm, destination);
  check_mpi(MPI_Send(data.data(), detail::mpi_count(data.size()), datatype_of<T>(), destination,
                     tag, comm.native()),
            "MPI_Send");
}

/// Receives at most data.size() elements from rank `source` under `tag`, in the order they were
/// sent.
/// @return source, tag and the number of elements that came
/// @throws Error{Errc::mpi_failure} on this rank, also when the message is longer than `data`
template <Element T>
Received receive(const Communicator& comm, std::span<T> data, int source, int tag = 0) {
  if (source != MPI_ANY_SOURCE) detail::expect_rank(comm, source);
  MPI_Status status;
  check_mpi(MPI_Recv(data.data(), detail::mpi_count(data.size()), datatype_of<T>(), source, tag,
                     comm.native(), &status),
            "MPI_Recv");
  int count = 0;
  check_mpi(MPI_Get_count(&status, datatype_of<T>(), &count), "MPI_Get_count");
  return {status.MPI_SOURCE, status.MPI_TAG, static_cast<std::size_t>(count)};
}

/// Sends and receives at once, so that rings and exchanges cannot deadlock.
template <Element T>
Received send_receive(const Communicator& comm, std::span<const T> out, int destination,
                      std::span<T> in, int source, int tag = 0) {
  detail::expect_rank(comm, destination);
  detail::expect_rank(comm, source);
  // Open MPI 4.1 cuts a message from a rank to itself short without an error.
  const bool to_itself = destination == comm.rank() && source == comm.rank();
  check_mpi(to_itself && out.size() > in.size() ? MPI_ERR_TRUNCATE : MPI_SUCCESS, "MPI_Sendrecv");
  MPI_Status status;
  check_mpi(MPI_Sendrecv(out.data(), detail::mpi_count(out.size()), datatype_of<T>(), destination,
                         tag, in.data(), detail::mpi_count(in.size()), datatype_of<T>(), source,
                         tag, comm.native(), &status),
            "MPI_Sendrecv");
  int count = 0;
  check_mpi(MPI_Get_count(&status, datatype_of<T>(), &count), "MPI_Get_count");
  return {status.MPI_SOURCE, status.MPI_TAG, static_cast<std::size_t>(count)};
}

}  // namespace cairn
