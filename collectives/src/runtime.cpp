#include "cairn/collectives/runtime.hpp"

#include <cstdlib>
#include <string>
#include <string_view>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/signals.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/core/mpi_error.hpp"
#include "cairn/trace/trace.hpp"

namespace cairn {

namespace {

const char* thread_level_name(int level) {
  switch (level) {
    case MPI_THREAD_SINGLE:
      return "MPI_THREAD_SINGLE";
    case MPI_THREAD_FUNNELED:
      return "MPI_THREAD_FUNNELED";
    case MPI_THREAD_SERIALIZED:
      return "MPI_THREAD_SERIALIZED";
    default:
      return "MPI_THREAD_MULTIPLE";
  }
}

std::string too_few_threads(int provided, int needed) {
  const std::string least = thread_level_name(needed);
  const std::string given = thread_level_name(provided);
  return "this MPI provides " + given + ", and the program needs " + least +
         "; start MPI by MPI_Init_thread with " + least +
         ", or, where no thread needs more, ask for less: RuntimeOptions{.thread_level = " + given +
         "}";
}

void apply_environment(int rank) {
  if (const char* spec = std::getenv("CAIRN_FAILPOINTS"))
    arm_failpoints(spec, rank, launch_number());
  if (const char* directory = std::getenv("CAIRN_TRACE");
      directory != nullptr && *directory != '\0') {
    trace::start(directory, rank, launch_number());
  }
}

/// Rank 0's environment decides for all.
bool is_node_engine_wanted(const Communicator& world) {
  const char* mode = std::getenv("CAIRN_NODE_ENGINE");
  return bcast(world, mode != nullptr && *mode != '\0' && std::string_view(mode) != "off");
}

}  // namespace

Runtime::Runtime(int& argc, char**& argv, const RuntimeOptions& options) {
  start(&argc, &argv, options);
}

Runtime::Runtime(const RuntimeOptions& options) { start(nullptr, nullptr, options); }

void Runtime::start(int* argc, char*** argv, const RuntimeOptions& options) {
  int initialized = 0;
  MPI_Initialized(&initialized);
  if (initialized == 0) {
    check_mpi(MPI_Init_thread(argc, argv, options.thread_level, &thread_level_), "MPI_Init_thread");
    owns_mpi_ = true;
    // Errors that belong to no communicator go to this handler; without it they would end the job.
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
  } else {
    check_mpi(MPI_Query_thread(&thread_level_), "MPI_Query_thread");
  }
  try {
    world_.emplace(MPI_COMM_WORLD, "cairn.world");
    together(*world_, [&] {
      if (thread_level_ < options.thread_level) {
        throw Error(Errc::unavailable, too_few_threads(thread_level_, options.thread_level));
      }
      if (options.signals == RuntimeOptions::Signals::catch_stop) catch_stop_signals();
      apply_environment(world_->rank());
    });
    if (is_node_engine_wanted(*world_)) world_->use_node_engine();
  } catch (...) {
    world_.reset();
    if (owns_mpi_) MPI_Finalize();  // every rank comes here together
    throw;
  }
}

Runtime::~Runtime() {
  trace::stop();
  world_.reset();
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (owns_mpi_ && finalized == 0) MPI_Finalize();
}

void Runtime::abort(int exit_code) noexcept {
  trace::stop();
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::_Exit(exit_code);
}

}  // namespace cairn
