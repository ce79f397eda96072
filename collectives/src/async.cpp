#include "cairn/collectives/async.hpp"

#include <string>

#include "cairn/core/error.hpp"

namespace cairn::detail {

namespace {

[[noreturn]] void throw_unfinished(const char* what) {
  throw Error(Errc::internal, std::string("the Future or Plan of ") + what +
                                  " is destroyed while the call is under way; wait() for it first");
}

}  // namespace

void destroyed_unfinished(const char* what) noexcept {
  throw_unfinished(what);  // out of a noexcept function: std::terminate, which shows the text
}

void Requests::wait(MPI_Status* status) {
  auto first = std::exchange(first_, MPI_REQUEST_NULL);
  auto more = std::exchange(more_, {});
  check_mpi(MPI_Wait(&first, status), "MPI_Wait");
  if (more.empty()) return;
  check_mpi(MPI_Waitall(static_cast<int>(more.size()), more.data(), MPI_STATUSES_IGNORE),
            "MPI_Waitall");
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
