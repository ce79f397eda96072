// Beside defined_sends.cpp: a request that is started and never completed becomes a leak that
// memcheck reports, with the place of its start. MPI's own request is no such leak, since it
// comes from a pool. Each request has a block of its own, freed when it completes; MPI_Finalize
// forgets the blocks that are left.

#include <mpi.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "next_call.hpp"

namespace {

using cairn::test::Malloc;
using cairn::test::next;

/// Blocks by handle; Open MPI gives one handle to all requests that are complete when they start.
using Blocks =
    std::multimap<MPI_Request, void*, std::less<>, Malloc<std::pair<const MPI_Request, void*>>>;
using Handles = std::vector<MPI_Request, Malloc<MPI_Request>>;
Blocks under_way;

int started(int code, const MPI_Request* request) {
  if (code == MPI_SUCCESS) under_way.emplace(*request, std::malloc(1));
  return code;
}

void completed(MPI_Request before) {
  const auto found = under_way.find(before);
  if (found == under_way.end()) return;
  std::free(found->second);
  under_way.erase(found);
}

}  // namespace

extern "C" {

int PMPI_Irecv(void* data, int n, MPI_Datatype type, int from, int tag, MPI_Comm comm,
               MPI_Request* request) {
  static auto* const call = next(&PMPI_Irecv, "PMPI_Irecv");
  return started(call(data, n, type, from, tag, comm, request), request);
}
int PMPI_Imrecv(void* data, int n, MPI_Datatype type, MPI_Message* message, MPI_Request* request) {
  static auto* const call = next(&PMPI_Imrecv, "PMPI_Imrecv");
  return started(call(data, n, type, message, request), request);
}
int PMPI_Isend(const void* data, int n, MPI_Datatype type, int to, int tag, MPI_Comm comm,
               MPI_Request* request) {
  static auto* const call = next(&PMPI_Isend, "PMPI_Isend");
  cairn::test::expect_defined(data, n, type, comm);
  return started(call(data, n, type, to, tag, comm, request), request);
}
int PMPI_Issend(const void* data, int n, MPI_Datatype type, int to, int tag, MPI_Comm comm,
                MPI_Request* request) {
  static auto* const call = next(&PMPI_Issend, "PMPI_Issend");
  cairn::test::expect_defined(data, n, type, comm);
  return started(call(data, n, type, to, tag, comm, request), request);
}
int PMPI_Ibarrier(MPI_Comm comm, MPI_Request* request) {
  static auto* const call = next(&PMPI_Ibarrier, "PMPI_Ibarrier");
  return started(call(comm, request), request);
}
int PMPI_Ibcast(void* data, int n, MPI_Datatype type, int root, MPI_Comm comm,
                MPI_Request* request) {
  static auto* const call = next(&PMPI_Ibcast, "PMPI_Ibcast");
  if (cairn::test::is_rank(comm, root)) cairn::test::expect_defined(data, n, type, comm);
  return started(call(data, n, type, root, comm, request), request);
}
int PMPI_Iallreduce(const void* in, void* out, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm,
                    MPI_Request* request) {
  static auto* const call = next(&PMPI_Iallreduce, "PMPI_Iallreduce");
  cairn::test::expect_defined(in == MPI_IN_PLACE ? out : in, n, type, comm);
  return started(call(in, out, n, type, op, comm, request), request);
}

int PMPI_Wait(MPI_Request* request, MPI_Status* status) {
  static auto* const call = next(&PMPI_Wait, "PMPI_Wait");
  const MPI_Request before = *request;
  const int code = call(request, status);
  completed(before);
  return code;
}
int PMPI_Waitall(int n, MPI_Request requests[], MPI_Status statuses[]) {
  static auto* const call = next(&PMPI_Waitall, "PMPI_Waitall");
  const Handles before(requests, requests + n);
  const int code = call(n, requests, statuses);
  for (const auto& request : before) completed(request);
  return code;
}
int PMPI_Test(MPI_Request* request, int* done, MPI_Status* status) {
  static auto* const call = next(&PMPI_Test, "PMPI_Test");
  const MPI_Request before = *request;
  const int code = call(request, done, status);
  if (*done != 0) completed(before);
  return code;
}
int PMPI_Testall(int n, MPI_Request requests[], int* done, MPI_Status statuses[]) {
  static auto* const call = next(&PMPI_Testall, "PMPI_Testall");
  const Handles before(requests, requests + n);
  const int code = call(n, requests, done, statuses);
  if (*done != 0) {
    for (const auto& request : before) completed(request);
  }
  return code;
}
int PMPI_Finalize() {
  static auto* const call = next(&PMPI_Finalize, "PMPI_Finalize");
  under_way.clear();
  return call();
}

decltype(PMPI_Irecv) MPI_Irecv [[gnu::alias("PMPI_Irecv")]];
decltype(PMPI_Imrecv) MPI_Imrecv [[gnu::alias("PMPI_Imrecv")]];
decltype(PMPI_Isend) MPI_Isend [[gnu::alias("PMPI_Isend")]];
decltype(PMPI_Issend) MPI_Issend [[gnu::alias("PMPI_Issend")]];
decltype(PMPI_Ibarrier) MPI_Ibarrier [[gnu::alias("PMPI_Ibarrier")]];
decltype(PMPI_Ibcast) MPI_Ibcast [[gnu::alias("PMPI_Ibcast")]];
decltype(PMPI_Iallreduce) MPI_Iallreduce [[gnu::alias("PMPI_Iallreduce")]];
decltype(PMPI_Wait) MPI_Wait [[gnu::alias("PMPI_Wait")]];
decltype(PMPI_Waitall) MPI_Waitall [[gnu::alias("PMPI_Waitall")]];
decltype(PMPI_Test) MPI_Test [[gnu::alias("PMPI_Test")]];
decltype(PMPI_Testall) MPI_Testall [[gnu::alias("PMPI_Testall")]];
decltype(PMPI_Finalize) MPI_Finalize [[gnu::alias("PMPI_Finalize")]];

}  // extern "C"
