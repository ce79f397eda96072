// A library for LD_PRELOAD under valgrind: each call of MPI that sends looks first whether every
// byte that will travel is defined. Through shared memory an undefined byte arrives as a defined
// one, and memcheck alone has nothing to say. What travels is found by packing it, so that gaps of
// datatypes may be undefined.
//
// Both names of a call are replaced, since a program may stand between itself and MPI through PMPI.

#include <mpi.h>
#include <valgrind/memcheck.h>

#include <cstddef>
#include <vector>

#include "next_call.hpp"

namespace cairn::test {

void expect_defined(const void* data, int count, MPI_Datatype type, MPI_Comm comm) {
  if (data == MPI_IN_PLACE || count == 0) return;
  // Six of a long double's sixteen bytes are never written.
  if (type == MPI_LONG_DOUBLE || type == MPI_C_LONG_DOUBLE_COMPLEX) return;
  int size = 0;
  PMPI_Pack_size(count, type, comm, &size);
  if (size <= 0) return;
  std::vector<char, Malloc<char>> packed(static_cast<std::size_t>(size));
  int end = 0;
  PMPI_Pack(data, count, type, packed.data(), size, &end, comm);
  static_cast<void>(VALGRIND_CHECK_MEM_IS_DEFINED(packed.data(), end));
}

bool is_rank(MPI_Comm comm, int root) {
  int rank = 0;
  PMPI_Comm_rank(comm, &rank);
  return rank == root;
}

}  // namespace cairn::test

namespace {

using cairn::test::expect_defined;
using cairn::test::is_rank;
using cairn::test::next;

int size_of(MPI_Comm comm) {
  int size = 0;
  PMPI_Comm_size(comm, &size);
  return size;
}

/// Parts of a buffer whose displacements are in elements of `type`.
void expect_parts_defined(const void* data, const int counts[], const int displacements[],
                          MPI_Datatype type, MPI_Comm comm) {
  if (data == MPI_IN_PLACE) return;
  MPI_Aint lower = 0;
  MPI_Aint extent = 0;
  PMPI_Type_get_extent(type, &lower, &extent);
  for (int r = 0; r < size_of(comm); ++r) {
    expect_defined(static_cast<const char*>(data) + displacements[r] * extent, counts[r], type,
                   comm);
  }
}

}  // namespace

extern "C" {

// ------------------------------------------------------------------------------ point to point

int PMPI_Send(const void* data, int n, MPI_Datatype type, int to, int tag, MPI_Comm comm) {
  static auto* const call = next(&PMPI_Send, "PMPI_Send");
  expect_defined(data, n, type, comm);
  return call(data, n, type, to, tag, comm);
}
int PMPI_Sendrecv(const void* out, int out_n, MPI_Datatype out_type, int to, int out_tag, void* in,
                  int in_n, MPI_Datatype in_type, int from, int in_tag, MPI_Comm comm,
                  MPI_Status* status) {
  static auto* const call = next(&PMPI_Sendrecv, "PMPI_Sendrecv");
  expect_defined(out, out_n, out_type, comm);
  return call(out, out_n, out_type, to, out_tag, in, in_n, in_type, from, in_tag, comm, status);
}

// ---------------------------------------------------------------------------------- one sends

int PMPI_Bcast(void* data, int n, MPI_Datatype type, int root, MPI_Comm comm) {
  static auto* const call = next(&PMPI_Bcast, "PMPI_Bcast");
  if (is_rank(comm, root)) expect_defined(data, n, type, comm);
  return call(data, n, type, root, comm);
}
int PMPI_Scatter(const void* out, int out_n, MPI_Datatype out_type, void* in, int in_n,
                 MPI_Datatype in_type, int root, MPI_Comm comm) {
  static auto* const call = next(&PMPI_Scatter, "PMPI_Scatter");
  if (is_rank(comm, root)) expect_defined(out, out_n * size_of(comm), out_type, comm);
  return call(out, out_n, out_type, in, in_n, in_type, root, comm);
}
int PMPI_Scatterv(const void* out, const int counts[], const int displacements[],
                  MPI_Datatype out_type, void* in, int in_n, MPI_Datatype in_type, int root,
                  MPI_Comm comm) {
  static auto* const call = next(&PMPI_Scatterv, "PMPI_Scatterv");
  if (is_rank(comm, root)) expect_parts_defined(out, counts, displacements, out_type, comm);
  return call(out, counts, displacements, out_type, in, in_n, in_type, root, comm);
}

// ---------------------------------------------------------------------------------- all send

int PMPI_Gather(const void* out, int out_n, MPI_Datatype out_type, void* in, int in_n,
                MPI_Datatype in_type, int root, MPI_Comm comm) {
  static auto* const call = next(&PMPI_Gather, "PMPI_Gather");
  expect_defined(out, out_n, out_type, comm);
  return call(out, out_n, out_type, in, in_n, in_type, root, comm);
}
int PMPI_Gatherv(const void* out, int out_n, MPI_Datatype out_type, void* in, const int counts[],
                 const int displacements[], MPI_Datatype in_type, int root, MPI_Comm comm) {
  static auto* const call = next(&PMPI_Gatherv, "PMPI_Gatherv");
  expect_defined(out, out_n, out_type, comm);
  return call(out, out_n, out_type, in, counts, displacements, in_type, root, comm);
}
int PMPI_Allgather(const void* out, int out_n, MPI_Datatype out_type, void* in, int in_n,
                   MPI_Datatype in_type, MPI_Comm comm) {
  static auto* const call = next(&PMPI_Allgather, "PMPI_Allgather");
  expect_defined(out, out_n, out_type, comm);
  return call(out, out_n, out_type, in, in_n, in_type, comm);
}
int PMPI_Allgatherv(const void* out, int out_n, MPI_Datatype out_type, void* in, const int counts[],
                    const int displacements[], MPI_Datatype in_type, MPI_Comm comm) {
  static auto* const call = next(&PMPI_Allgatherv, "PMPI_Allgatherv");
  expect_defined(out, out_n, out_type, comm);
  return call(out, out_n, out_type, in, counts, displacements, in_type, comm);
}
int PMPI_Alltoall(const void* out, int out_n, MPI_Datatype out_type, void* in, int in_n,
                  MPI_Datatype in_type, MPI_Comm comm) {
  static auto* const call = next(&PMPI_Alltoall, "PMPI_Alltoall");
  expect_defined(out, out_n * size_of(comm), out_type, comm);
  return call(out, out_n, out_type, in, in_n, in_type, comm);
}
int PMPI_Alltoallv(const void* out, const int out_counts[], const int out_at[],
                   MPI_Datatype out_type, void* in, const int in_counts[], const int in_at[],
                   MPI_Datatype in_type, MPI_Comm comm) {
  static auto* const call = next(&PMPI_Alltoallv, "PMPI_Alltoallv");
  expect_parts_defined(out, out_counts, out_at, out_type, comm);
  return call(out, out_counts, out_at, out_type, in, in_counts, in_at, in_type, comm);
}

// --------------------------------------------------------------------------------- reductions

int PMPI_Reduce(const void* in, void* out, int n, MPI_Datatype type, MPI_Op op, int root,
                MPI_Comm comm) {
  static auto* const call = next(&PMPI_Reduce, "PMPI_Reduce");
  expect_defined(in == MPI_IN_PLACE ? out : in, n, type, comm);
  return call(in, out, n, type, op, root, comm);
}
int PMPI_Allreduce(const void* in, void* out, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm) {
  static auto* const call = next(&PMPI_Allreduce, "PMPI_Allreduce");
  expect_defined(in == MPI_IN_PLACE ? out : in, n, type, comm);
  return call(in, out, n, type, op, comm);
}

// The same calls under their own names.
decltype(PMPI_Send) MPI_Send [[gnu::alias("PMPI_Send")]];
decltype(PMPI_Sendrecv) MPI_Sendrecv [[gnu::alias("PMPI_Sendrecv")]];
decltype(PMPI_Bcast) MPI_Bcast [[gnu::alias("PMPI_Bcast")]];
decltype(PMPI_Scatter) MPI_Scatter [[gnu::alias("PMPI_Scatter")]];
decltype(PMPI_Scatterv) MPI_Scatterv [[gnu::alias("PMPI_Scatterv")]];
decltype(PMPI_Gather) MPI_Gather [[gnu::alias("PMPI_Gather")]];
decltype(PMPI_Gatherv) MPI_Gatherv [[gnu::alias("PMPI_Gatherv")]];
decltype(PMPI_Allgather) MPI_Allgather [[gnu::alias("PMPI_Allgather")]];
decltype(PMPI_Allgatherv) MPI_Allgatherv [[gnu::alias("PMPI_Allgatherv")]];
decltype(PMPI_Alltoall) MPI_Alltoall [[gnu::alias("PMPI_Alltoall")]];
decltype(PMPI_Alltoallv) MPI_Alltoallv [[gnu::alias("PMPI_Alltoallv")]];
decltype(PMPI_Reduce) MPI_Reduce [[gnu::alias("PMPI_Reduce")]];
decltype(PMPI_Allreduce) MPI_Allreduce [[gnu::alias("PMPI_Allreduce")]];

}  // extern "C"
