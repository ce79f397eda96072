// MPI's profiling interface: each MPI_X that carries data is replaced by one that looks at the
// count.

#include "count_limit.hpp"

#include <mpi.h>

#include <algorithm>

#include "cairn/collectives/count.hpp"
#include "mpi_test.hpp"

namespace {

std::size_t largest = 0;

void note(int count) { largest = std::max(largest, static_cast<std::size_t>(count)); }

}  // namespace

extern "C" {

int MPI_Send(const void* data, int n, MPI_Datatype type, int rank, int tag, MPI_Comm comm) {
  note(n);
  return PMPI_Send(data, n, type, rank, tag, comm);
}

int MPI_Isend(const void* data, int n, MPI_Datatype type, int rank, int tag, MPI_Comm comm,
              MPI_Request* request) {
  note(n);
  return PMPI_Isend(data, n, type, rank, tag, comm, request);
}

int MPI_Issend(const void* data, int n, MPI_Datatype type, int rank, int tag, MPI_Comm comm,
               MPI_Request* request) {
  note(n);
  return PMPI_Issend(data, n, type, rank, tag, comm, request);
}

int MPI_Recv(void* data, int n, MPI_Datatype type, int rank, int tag, MPI_Comm comm,
             MPI_Status* status) {
  note(n);
  return PMPI_Recv(data, n, type, rank, tag, comm, status);
}

int MPI_Irecv(void* data, int n, MPI_Datatype type, int rank, int tag, MPI_Comm comm,
              MPI_Request* request) {
  note(n);
  return PMPI_Irecv(data, n, type, rank, tag, comm, request);
}

int MPI_Mrecv(void* data, int n, MPI_Datatype type, MPI_Message* message, MPI_Status* status) {
  note(n);
  return PMPI_Mrecv(data, n, type, message, status);
}

int MPI_Imrecv(void* data, int n, MPI_Datatype type, MPI_Message* message, MPI_Request* request) {
  note(n);
  return PMPI_Imrecv(data, n, type, message, request);
}

int MPI_Sendrecv(const void* out, int out_n, MPI_Datatype out_type, int to, int out_tag, void* in,
                 int in_n, MPI_Datatype in_type, int from, int in_tag, MPI_Comm comm,
                 MPI_Status* status) {
  note(out_n);
  note(in_n);
  return PMPI_Sendrecv(out, out_n, out_type, to, out_tag, in, in_n, in_type, from, in_tag, comm,
                       status);
}

int MPI_Bcast(void* data, int n, MPI_Datatype type, int root, MPI_Comm comm) {
  note(n);
  return PMPI_Bcast(data, n, type, root, comm);
}

int MPI_Allgatherv(const void* out, int out_n, MPI_Datatype out_type, void* in, const int counts[],
                   const int displacements[], MPI_Datatype in_type, MPI_Comm comm) {
  int size = 0;
  PMPI_Comm_size(comm, &size);
  for (int r = 0; r < size; ++r) note(counts[r] + displacements[r]);
  return PMPI_Allgatherv(out, out_n, out_type, in, counts, displacements, in_type, comm);
}

}  // extern "C"

namespace cairn::test {

CountLimit::CountLimit(std::size_t limit) : limit_(limit), before_(detail::max_count) {
  detail::max_count = limit;
  largest = 0;
}

CountLimit::~CountLimit() {
  CHECK(largest <= limit_);
  detail::max_count = before_;
}

}  // namespace cairn::test
