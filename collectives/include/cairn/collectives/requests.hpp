/// The requests of a call under way, and how an object ends the program that goes before they do.
#pragma once

#include <mpi.h>

#include <span>
#include <utility>
#include <vector>

namespace cairn::detail {

/// Ends the process through std::terminate, which shows the text, and says so if an exception was
/// on its way; for destructors of what must not go yet.
void end_with(const char* text) noexcept;

/// Ends the process through std::terminate, with a text that names the call: MPI may still write to
/// buffers that are about to go.
void destroyed_unfinished(const char* what) noexcept;

/// Waits for all `requests`, also where one fails, and leaves null ones.
/// @return  MPI's code for the first of them that failed, else MPI_SUCCESS
[[nodiscard]] int wait_for_all(std::span<MPI_Request> requests) noexcept;

/// The requests of one call; mostly one.
class Requests {
 public:
  Requests() = default;
  Requests(Requests&& other) noexcept
      : first_(std::exchange(other.first_, MPI_REQUEST_NULL)),
        more_(std::move(other.more_)),
        failure_(std::exchange(other.failure_, MPI_SUCCESS)) {
    other.more_.clear();
  }
  Requests& operator=(Requests&&) = delete;
  Requests(const Requests&) = delete;
  Requests& operator=(const Requests&) = delete;
  ~Requests() = default;

  /// Room for one more request, for MPI to fill in; then comes started().
  MPI_Request& next() {
    if (first_ == MPI_REQUEST_NULL) return first_;
    return more_.emplace_back(MPI_REQUEST_NULL);
  }
  /// What MPI said when it started that request. A failure of the first one is thrown, as nothing
  /// is under way; one of a later request by wait(), when the others are done.
  /// @throws Error{Errc::mpi_failure}
  void started(int code, const char* call) {
    if (code != MPI_SUCCESS) [[unlikely]] {
      not_started(code, call);
    }
  }
  [[nodiscard]] bool pending() const noexcept {
    return first_ != MPI_REQUEST_NULL || !more_.empty();
  }
  /// Waits for all, also where one fails: afterwards none is pending, and MPI writes nothing more.
  /// @param status  of the first request
  /// @throws Error{Errc::mpi_failure}  of the first that failed
  void wait(MPI_Status* status = MPI_STATUS_IGNORE);
  /// Whether all are done; an error is thrown when they are.
  bool test(MPI_Status* status = MPI_STATUS_IGNORE);

 private:
  void not_started(int code, const char* call);
  void end();

  MPI_Request first_ = MPI_REQUEST_NULL;
  std::vector<MPI_Request> more_;
  int failure_ = MPI_SUCCESS;  // of the first that failed, until all are done
};

}  // namespace cairn::detail
