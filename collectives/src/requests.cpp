#include "cairn/collectives/requests.hpp"

#include <string>

#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"

namespace cairn::detail {

namespace {

[[noreturn]] void throw_internal(const std::string& text) { throw Error(Errc::internal, text); }

}  // namespace

// Out of noexcept functions: std::terminate, which shows the text.
void end_with(const char* text) noexcept { throw_internal(text); }

void destroyed_unfinished(const char* what) noexcept {
  throw_internal(std::string("the Future or Plan of ") + what +
                 " is destroyed while the call is under way; wait() for it first");
}

void Requests::wait(MPI_Status* status) {
  auto first = std::exchange(first_, MPI_REQUEST_NULL);
  check_mpi(MPI_Wait(&first, status), "MPI_Wait");
  if (more_.empty()) return;
  const int code = MPI_Waitall(static_cast<int>(more_.size()), more_.data(), MPI_STATUSES_IGNORE);
  more_.clear();  // keeps its memory
  check_mpi(code, "MPI_Waitall");
}

bool Requests::test(MPI_Status* status) {
  int done = 1;
  if (first_ != MPI_REQUEST_NULL) check_mpi(MPI_Test(&first_, &done, status), "MPI_Test");
  if (done == 0 || more_.empty()) return done != 0;
  check_mpi(MPI_Testall(static_cast<int>(more_.size()), more_.data(), &done, MPI_STATUSES_IGNORE),
            "MPI_Testall");
  if (done != 0) more_.clear();
  return done != 0;
}

}  // namespace cairn::detail
