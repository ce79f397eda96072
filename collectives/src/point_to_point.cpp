#include "cairn/collectives/point_to_point.hpp"

#include <exception>

#include "cairn/collectives/requests.hpp"

namespace cairn {

namespace detail {

std::size_t count_of(const MPI_Status& status, MPI_Datatype type) {
  int count = 0;
  check_mpi(MPI_Get_count(&status, type, &count), "MPI_Get_count");
  if (count != MPI_UNDEFINED) [[likely]] {
    return static_cast<std::size_t>(count);
  }
  // More than an int holds.
  MPI_Count bytes = 0;
  MPI_Count size = 0;
  check_mpi(MPI_Get_elements_x(&status, MPI_BYTE, &bytes), "MPI_Get_elements_x");
  check_mpi(MPI_Type_size_x(type, &size), "MPI_Type_size_x");
  return static_cast<std::size_t>(bytes / size);
}

void destroyed_unreceived() noexcept {
  if (std::uncaught_exceptions() > 0) return;
  end_with("a Message is destroyed that was probed and not received; receive() it first");
}

void expect_own_message_fits(bool to_itself, std::size_t sent, std::size_t room) {
  check_mpi(to_itself && sent > room ? MPI_ERR_TRUNCATE : MPI_SUCCESS, "MPI_Sendrecv");
}

}  // namespace detail

Message probe(const Communicator& comm, int source, int tag) {
  if (source != MPI_ANY_SOURCE) detail::expect_rank(comm, source);
  MPI_Message handle = MPI_MESSAGE_NULL;
  MPI_Status status;
  check_mpi(MPI_Mprobe(source, tag, comm.native(), &handle, &status), "MPI_Mprobe");
  return {handle, status};
}

bool has_message(const Communicator& comm, int source, int tag) {
  if (source != MPI_ANY_SOURCE) detail::expect_rank(comm, source);
  int found = 0;
  check_mpi(MPI_Iprobe(source, tag, comm.native(), &found, MPI_STATUS_IGNORE), "MPI_Iprobe");
  return found != 0;
}

}  // namespace cairn
