/// One error type, one list of codes; the codes are also exit codes (BSD's sysexits.h).
#pragma once

#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

#include "cairn/core/expects.hpp"

namespace cairn {

/// Why something failed. The value is the exit code of a program that ends because of it.
enum class Errc : int {
  usage = 64,         ///< an option or argument that makes no sense
  bad_data = 65,      ///< input or a checkpoint that is damaged, foreign or of another shape
  no_input = 66,      ///< a named file or folder does not exist
  unavailable = 69,   ///< a service below us failed; running again may help
  mpi_failure = 69,   ///< MPI reported an error, often because a peer died
  internal = 70,      ///< a broken precondition or invariant: a bug
  input_output = 74,  ///< reading or writing failed: full disk, device error
  run_again = 75,     ///< stopped on request after saving; run the same command again to go on
  permission = 77,    ///< a file or folder may not be read or written
  interrupted = 130,  ///< Ctrl-C before anything could be saved
};

/// The one exception type of the library.
///
/// An Error is either seen by one rank alone, or *agreed*: thrown with the same code and text on
/// every rank of a communicator (see agree.hpp). A program prints an error on which all its ranks
/// agreed once and leaves through MPI_Finalize; for one of a single rank, or of a part of the
/// ranks, it has to abort the job, since the others may be waiting in a collective.
class Error : public std::runtime_error {
 public:
  Error(Errc code, const std::string& message) : std::runtime_error(message), code_(code) {}

  [[nodiscard]] Errc code() const noexcept { return code_; }
  [[nodiscard]] int exit_code() const noexcept { return static_cast<int>(code_); }

  /// `ranks` of an error that every rank of the job throws alike.
  static constexpr int everybody = std::numeric_limits<int>::max();

  /// True when every rank of a communicator threw this same error.
  [[nodiscard]] bool agreed() const noexcept { return agreed_ranks_ > 0; }
  /// How many ranks threw it together: the size of that communicator, or `everybody`; 0 when this
  /// rank met it alone.
  [[nodiscard]] int agreed_ranks() const noexcept { return agreed_ranks_; }
  /// This rank's number among them.
  [[nodiscard]] int agreed_rank() const noexcept { return agreed_rank_; }

  /// Says that `ranks` ranks throw this error together, of which this one is number `rank`. Whoever
  /// says so sees to it that they do.
  void mark_agreed(int ranks = everybody, int rank = 0) noexcept {
    agreed_ranks_ = ranks;
    agreed_rank_ = rank;
  }

 private:
  Errc code_;
  int agreed_ranks_ = 0;
  int agreed_rank_ = 0;
};

/// The code that fits an errno: ENOENT is no_input, EACCES, EPERM and EROFS are permission, the
/// rest input_output.
[[nodiscard]] Errc errc_from_errno(int error_number) noexcept;

/// Throws the Error for a failed POSIX call, with the system's explanation and, for a full disk,
/// what to do.
///
/// @param error_number  errno of the call
/// @param what          the call and its object, for example "write /scratch/epoch-3.h5"
[[noreturn]] void throw_errno(int error_number, std::string_view what);

/// Passes a POSIX return value through, or throws with errno when it is negative.
template <typename Result>
Result check_posix(Result result, std::string_view what);

/// expects() with a message that holds values. Local.
inline void expects(bool holds, const std::string& message, const char* file = __builtin_FILE(),
                    int line = __builtin_LINE()) {
  expects(holds, message.c_str(), file, line);
}

// ---------------------------------------------------------------------------------------------

namespace detail {
[[noreturn]] void throw_current_errno(std::string_view what);
}  // namespace detail

template <typename Result>
Result check_posix(Result result, std::string_view what) {
  if (result < 0) detail::throw_current_errno(what);
  return result;
}

}  // namespace cairn
