#include "cairn/core/mpi_error.hpp"

#include <mpi.h>

#include <string>

#include "cairn/core/error.hpp"

namespace cairn::detail {

static_assert(MPI_SUCCESS == 0);

void throw_mpi(int code, const char* call) {
  int initialized = 0;
  int finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  std::string explanation = "MPI error " + std::to_string(code);
  if (initialized != 0 && finalized == 0) {  // outside, asking for the text would abort the process
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(code, text, &length);
    explanation.assign(text, static_cast<std::size_t>(length));
  }
  throw Error(Errc::mpi_failure, std::string(call) + ": " + explanation);
}

}  // namespace cairn::detail
