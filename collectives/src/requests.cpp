#include "cairn/collectives/requests.hpp"

#include <exception>
#include <string>

#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"

namespace cairn::detail {

namespace {

[[noreturn]] void throw_internal(const std::string& text) {
  if (std::uncaught_exceptions() == 0) throw Error(Errc::internal, text);
  throw Error(Errc::internal,
              text +
                  ". That was while an exception was on its way, whose text is lost: wait before "
                  "whatever may throw, or catch the exception, wait, and throw it again");
}

}  // namespace

// Out of noexcept functions: std::terminate, which shows the text.
void end_with(const char* text) noexcept { throw_internal(text); }

void destroyed_unfinished(const char* what) noexcept {
  throw_internal(std::string("the Future or Plan of ") + what +
                 " is destroyed while the call is under way; wait() for it first");
}

namespace {

/// The first of two codes that is an error.
int first_error(int before, int now) { return before != MPI_SUCCESS ? before : now; }

int wait_for_one(MPI_Request& request, MPI_Status* status) {
  if (request == MPI_REQUEST_NULL) return MPI_SUCCESS;
  const int code = MPI_Wait(&request, status);
  request = MPI_REQUEST_NULL;  // also where MPI keeps one that failed
  return code;
}

/// Whether the request is done, if only because it failed.
bool is_done(MPI_Request& request, MPI_Status* status, int& failure) {
  if (request == MPI_REQUEST_NULL) return true;
  int done = 0;
  const int code = MPI_Test(&request, &done, status);
  if (code != MPI_SUCCESS) request = MPI_REQUEST_NULL;
  failure = first_error(failure, code);
  return code != MPI_SUCCESS || done != 0;
}

}  // namespace

int wait_for_all(std::span<MPI_Request> requests) noexcept {
  int failure = MPI_SUCCESS;
  for (auto& request : requests) {
    failure = first_error(failure, wait_for_one(request, MPI_STATUS_IGNORE));
  }
  return failure;
}

void Requests::not_started(int code, const char* call) {
  (more_.empty() ? first_ : more_.back()) = MPI_REQUEST_NULL;
  if (!pending()) check_mpi(code, call);
  failure_ = first_error(failure_, code);
}

void Requests::wait(MPI_Status* status) {
  failure_ = first_error(failure_, wait_for_one(first_, status));
  failure_ = first_error(failure_, wait_for_all(more_));
  end();
}

bool Requests::test(MPI_Status* status) {
  if (!is_done(first_, status, failure_)) return false;
  for (auto& request : more_) {
    if (!is_done(request, MPI_STATUS_IGNORE, failure_)) return false;
  }
  end();
  return true;
}

void Requests::end() {
  more_.clear();  // keeps its memory
  check_mpi(std::exchange(failure_, MPI_SUCCESS), "MPI_Wait");
}

}  // namespace cairn::detail
