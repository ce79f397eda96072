/// run(): everything that a main() does around the work of an SPMD program.
///
///     int main(int argc, char** argv) {
///       int size = 1024;
///       Options options("cairn-heat", "2-D heat equation by finite differences");
///       options.add("size", size, "grid points per side");
///       return run(argc, argv, options, [&](Context& context) {
///         context.log.info("solving");
///         return 0;
///       });
///     }
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "cairn/collectives/runtime.hpp"
#include "cairn/program/log.hpp"
#include "cairn/program/options.hpp"

namespace cairn::program {

/// What the body of a program gets.
struct Context {
  Runtime& runtime;
  const Communicator& world;  ///< all ranks
  Log& log;
  int threads;  ///< OpenMP threads of this rank; already set
  /// Seconds between lines of progress in a log; 0: none; less: after 1, 2, 4, … minutes.
  double progress_every = -1;
  std::filesystem::path config = {};  ///< the file of --config
};

/// Throws where something that this process has printed has not arrived, as on a full disk. run()
/// asks at its end, on rank 0. Local; flushes.
/// @throws Error{Errc::input_output}
void expect_printed();

/// Throws when a stop signal has come to this process: for work that has nothing to save, in places
/// that are passed often. Local; costs a load.
/// @throws Error with stop_exit_code() of the signal
void throw_if_stopped();

/// Starts MPI, reads the options on rank 0 and gives them to all ranks, sets the OpenMP threads,
/// calls `body`, ends MPI. Collective over the job.
///
/// --help, --version and --list-failpoints are answered once, by rank 0, on stdout; body is then
/// not called. An Error on which all ranks agreed() becomes one line "cairn-heat: error: …" from
/// rank 0, and its code the exit code, through MPI_Finalize. Any other exception ends the whole job
/// at once, with the code of the Error, 69 when memory is out, or 70; it is printed by its rank,
/// and by the lowest of them when some ranks agreed on it: the rest may be waiting for them.
///
/// @param body  called once on every rank
/// @return the exit code for main
int run(int argc, char** argv, Options& options, const std::function<int(Context&)>& body);

}  // namespace cairn::program
