/// Runtime: starts and ends MPI, or joins the MPI that the host program owns.
#pragma once

#include <mpi.h>

#include <optional>

#include "cairn/collectives/communicator.hpp"

namespace cairn {

/// How much a Runtime does. The defaults are right for a program of its own.
struct RuntimeOptions {
  /// The least MPI thread level needed; FUNNELED lets OpenMP run between calls of the main thread.
  int thread_level = MPI_THREAD_FUNNELED;
  /// Whether SIGTERM, SIGUSR1 and SIGINT become requests to stop (signals.hpp).
  enum class Signals { leave_alone, catch_stop } signals = Signals::catch_stop;
};

/// RAII for MPI. One per process, in main(); alive while the library is used.
///
/// If MPI is already initialised it belongs to the host, and Runtime neither initialises nor
/// finalises it nor touches its error handlers. After a plain MPI_Init, which provides
/// MPI_THREAD_SINGLE, ask for no more by RuntimeOptions::thread_level. Reads CAIRN_FAILPOINTS
/// (failpoint.hpp) and CAIRN_TRACE (a directory, trace.hpp).
///
/// The destructor finalises MPI, which waits for all ranks. When an exception is unwinding the
/// stack that other ranks do not share (an Error with fewer agreed_ranks() than world() has), let
/// main catch it and call abort() first.
class Runtime {
 public:
  /// Collective over all processes of the job.
  /// @throws Error{Errc::unavailable} when MPI provides less than options.thread_level
  /// @throws Error{Errc::usage} for a malformed CAIRN_FAILPOINTS, and for a CAIRN_CHECK or
  /// CAIRN_NODE_ENGINE that is none of its words
  Runtime(int& argc, char**& argv, const RuntimeOptions& options = {});
  explicit Runtime(const RuntimeOptions& options = {});
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// All ranks of the job.
  [[nodiscard]] const Communicator& world() const noexcept { return *world_; }

  /// Whether this object started MPI, and will end it.
  [[nodiscard]] bool owns_mpi() const noexcept { return owns_mpi_; }

  /// The thread level that MPI provides.
  [[nodiscard]] int thread_level() const noexcept { return thread_level_; }

  /// Flushes the trace and ends the whole job at once with `exit_code`. Local.
  [[noreturn]] void abort(int exit_code) noexcept;

 private:
  void start(int* argc, char*** argv, const RuntimeOptions& options);

  std::optional<Communicator> world_;
  bool owns_mpi_ = false;
  int thread_level_ = MPI_THREAD_SINGLE;
};

}  // namespace cairn
