#include "threads.hpp"

#include <mpi.h>
#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"

namespace cairn::program {

int share_of_cores(const Communicator& comm) {
  MPI_Comm node = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(comm.native(), MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node),
            "MPI_Comm_split_type");
  int ranks_here = 1;
  check_mpi(MPI_Comm_size(node, &ranks_here), "MPI_Comm_size");

  cpu_set_t mine;
  CPU_ZERO(&mine);
  if (sched_getaffinity(0, sizeof mine, &mine) != 0) CPU_SET(0, &mine);
  std::vector<cpu_set_t> all(static_cast<std::size_t>(ranks_here));
  check_mpi(MPI_Allgather(&mine, sizeof mine, MPI_BYTE, all.data(), sizeof mine, MPI_BYTE, node),
            "MPI_Allgather");
  check_mpi(MPI_Comm_free(&node), "MPI_Comm_free");

  const auto sharers = std::count_if(
      all.begin(), all.end(), [&](const cpu_set_t& other) { return CPU_EQUAL(&mine, &other); });
  return std::max(1, CPU_COUNT(&mine) / static_cast<int>(std::max<std::ptrdiff_t>(1, sharers)));
}

int set_threads(const Communicator& comm, int wanted) {
  const char* from_environment = std::getenv("OMP_NUM_THREADS");
  const int share = share_of_cores(comm);
  if (wanted > 0) {
    omp_set_num_threads(wanted);
  } else if (from_environment == nullptr || *from_environment == '\0') {
    omp_set_num_threads(share);
  }
  return omp_get_max_threads();
}

}  // namespace cairn::program
