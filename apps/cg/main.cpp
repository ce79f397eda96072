// cairn-cg: conjugate gradients for symmetric positive definite systems, restartable on any number
// of ranks, with the same bits.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/ckpt/stream.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/program/checkpoint_options.hpp"
#include "cairn/program/halt.hpp"
#include "cairn/program/pace.hpp"
#include "cairn/program/places.hpp"
#include "cairn/program/program.hpp"
#include "cairn/program/progress.hpp"
#include "cairn/trace/trace.hpp"
#include "output.hpp"
#include "result.hpp"
#include "solver.hpp"
#include "system.hpp"

namespace {

using namespace cairn;
using namespace cairn::cg;
using Clock = std::chrono::steady_clock;

Failpoint at_iteration{"cg.iteration"};

/// The run is complete, and the answer is not what was asked for: as of cmp and grep.
constexpr int not_converged = 1;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct Settings {
  SystemOptions system;
  std::string precondition = "jacobi";
  double tolerance = SolverOptions{}.tolerance;
  std::uint64_t max_iterations = 10000;
  program::CheckpointOptions ckpt;
  std::uint64_t residual_every = 0;
  std::filesystem::path output;
  std::filesystem::path result;
};

void declare(program::Options& options, Settings& settings) {
  options
      .add("matrix", settings.system.matrix,
           "Matrix Market file of A: coordinate; real, integer or pattern; symmetric or general; "
           "gzip or not")
      .add("poisson", settings.system.poisson,
           "in place of --matrix: the five-point Laplacian on N x N points of the unit square")
      .add("rhs", settings.system.rhs,
           "Matrix Market file of b: array, n x 1; without it b is A (1, ..., 1), or for --poisson "
           "that of the solution x (1 - x) y (1 - y)")
      .add("precondition", settings.precondition, "jacobi (the diagonal of A) or none")
      .add("tolerance", settings.tolerance, "goal for |b - A x| / |b| in the 2-norm")
      .add("max-iterations", settings.max_iterations,
           "give up after so many iterations, with exit code 1");
  settings.ckpt.declare(options, "iterations");
  options
      .add("residual-every", settings.residual_every,
           "iterations between printed residuals; 0: only at the end")
      .add("output", settings.output, "file of x: FILE.h5 (HDF5, /x) or FILE.mtx (Matrix Market)")
      .add("result", settings.result, "JSON file with digest, iterations, residual and speed")
      .hide_default("poisson")
      .example("mpirun -n 4 cairn-cg --matrix bcsstk01.mtx.gz --output x.mtx")
      .example("mpirun -n 4 cairn-cg --poisson 1000 --ckpt-dir ckpt --ckpt-every 200");
}

/// An Error that every rank throws alike, because all have the same options.
[[noreturn]] void refuse(const std::string& why) {
  Error error(Errc::usage, why);
  error.mark_agreed();
  throw error;
}

SolverOptions solver_options(const program::Options& options, const Settings& settings) {
  if (settings.system.matrix.empty() && !options.given("poisson"))
    refuse("no system to solve; name a --matrix FILE.mtx, or --poisson N for the model problem");
  if (!settings.system.matrix.empty() && options.given("poisson"))
    refuse("--matrix and --poisson are two systems; choose one");
  if (!(settings.tolerance > 0.0 && settings.tolerance < 1.0))
    refuse(fmt::format("--tolerance {} is not between 0 and 1", settings.tolerance));
  check_format(settings.output);
  if (settings.precondition == "jacobi")
    return {.tolerance = settings.tolerance, .preconditioner = Preconditioner::jacobi};
  if (settings.precondition == "none")
    return {.tolerance = settings.tolerance, .preconditioner = Preconditioner::none};
  refuse("--precondition is jacobi or none, not '" + settings.precondition + "'");
}

/// One system on this job's ranks, from x = 0 or from a checkpoint to the tolerance.
class Job {
 public:
  Job(program::Context& context, const Settings& settings, const SolverOptions& options)
      : context_(context),
        settings_(settings),
        system_(load_system(context.world, settings.system)),
        solver_(context.world, system_.matrix, std::move(system_.b), options),
        ckpt_(context.world, settings.ckpt.resolve(context, "cairn-cg", identity())) {
    const auto block = block_of(system_.matrix.partition(), context.world.rank());
    auto& state = solver_.state();
    ckpt_.field("x", state.x, block);
    ckpt_.field("r", state.r, block);
    ckpt_.field("p", system_.matrix.halo().own_part(state.p), block);
    ckpt_.value("rz", state.rz);
    ckpt_.value("rr", state.rr);
    ckpt_.value("verified_rr", state.verified_rr);
    ckpt_.value("status", state.status);
  }

  int run() {
    begin();
    if (const int signal = advance(); signal != 0) return stop_exit_code(signal);
    return finish();
  }

 private:
  [[nodiscard]] std::string identity() const {
    return fmt::format("rows={} nonzeros={} matrix={:016x} rhs={:016x} precondition={}",
                       system_.matrix.rows(), system_.matrix.nonzeros(), system_.matrix_hash,
                       system_.rhs_hash, settings_.precondition);
  }

  void begin() {
    describe();
    restored_from_ = ckpt_.restore();
    saved_ = restored_from_;
    if (!restored_from_) return solver_.start();
    context_.log.info(fmt::format("restored from the checkpoint of iteration {}", *restored_from_));
    if (*restored_from_ > settings_.max_iterations) {
      refuse(fmt::format(
          "the checkpoint in {} is of iteration {}, behind --max-iterations {}; use "
          "more iterations or another folder",
          settings_.ckpt.directory.string(), *restored_from_, settings_.max_iterations));
    }
    solver_.resume(*restored_from_);
  }

  void describe() const {
    const auto& matrix = system_.matrix;
    const auto most = all_reduce(context_.world, matrix.local_nonzeros(), Maximum{});
    const auto ghosts = all_reduce(context_.world, matrix.halo().ghosts(), Maximum{});
    context_.log.info(fmt::format(
        "{}: {} rows, {} non-zeros; {} ranks with at most {} non-zeros and {} values from others, "
        "{} threads each",
        system_.name, matrix.rows(), matrix.nonzeros(), context_.world.size(), most, ghosts,
        context_.threads));
  }

  [[nodiscard]] bool is_at_end() const {
    return solver_.status() != Status::going || solver_.iterations() >= settings_.max_iterations;
  }

  /// The next iteration at which something other than an iteration happens. Collective.
  [[nodiscard]] std::uint64_t next_halt() const {
    const std::uint64_t now = solver_.iterations();
    std::uint64_t halt = std::min(settings_.max_iterations, now + pace_.steps(context_.world));
    for (const auto every :
         {settings_.ckpt.every, settings_.ckpt.local_every, settings_.residual_every}) {
      if (every != 0) halt = std::min(halt, now + every - now % every);
    }
    return halt;
  }

  /// Iterates to the end; returns the signal that stopped it before, 0 for none.
  int advance() {
    program::Progress progress(context_, "cg", 0);
    const auto begin = Clock::now();
    const std::uint64_t first = solver_.iterations();
    while (!is_at_end()) {
      iterate_until(next_halt());
      const std::uint64_t now = solver_.iterations();
      progress.update(now);
      if (settings_.residual_every != 0 && now % settings_.residual_every == 0) print_progress();
      if (ckpt_.due(now)) save();
      if (const int signal = ckpt_.stop_signal(); signal != 0 && !is_at_end()) {
        program::say_stopped(context_, ckpt_,
                             {fmt::format("iteration {}", now), now, settings_.ckpt.directory});
        return signal;
      }
    }
    ckpt_.wait();
    seconds_ = seconds_since(begin);
    done_ = solver_.iterations() - first;
    return 0;
  }

  void iterate_until(std::uint64_t halt) {
    const std::uint64_t first = solver_.iterations();
    const trace::Span span("cg.iterations", static_cast<std::int64_t>(halt - first));
    const auto begin = Clock::now();
    while (!is_at_end() && solver_.iterations() < halt) {
      at_iteration.check("cg iteration");
      solver_.step();
    }
    pace_.took(solver_.iterations() - first, seconds_since(begin));
    if (context_.world.is_root()) trace::counter("cg.residual", solver_.residual());
  }

  void save() {
    saved_ = solver_.iterations();
    ckpt_.save(*saved_);
    context_.log.debug(fmt::format("saved iteration {}", *saved_));
  }

  void print_progress() const {
    if (context_.world.is_root()) print_residual(solver_.iterations(), solver_.residual());
  }

  int finish() {
    const bool converged = solver_.status() == Status::converged;
    if (!converged) give_up();
    const Result result{
        .digest = digest(),
        .system = system_.name,
        .rows = system_.matrix.rows(),
        .nonzeros = system_.matrix.nonzeros(),
        .precondition = settings_.precondition,
        .tolerance = settings_.tolerance,
        .iterations = solver_.iterations(),
        .converged = converged,
        .residual = solver_.true_residual(),
        .error_max = distance_to_solution(context_.world, system_, x()),
        .ranks = context_.world.size(),
        .threads = context_.threads,
        .restarts = launch_number(),
        .restored_from = restored_from_,
        .seconds = seconds_,
        .iterations_per_second = seconds_ > 0 ? static_cast<double>(done_) / seconds_ : 0.0};
    if (!settings_.output.empty())
      write_vector(context_.world, system_.matrix.partition(), x(), settings_.output);
    together(context_.world, [&] {
      if (!context_.world.is_root()) return;
      if (!settings_.result.empty()) write_result(result, settings_.result);
      print_summary(result);
    });
    return converged ? 0 : not_converged;
  }

  /// Says why there is no solution, and saves what there is, for a run that may go on.
  void give_up() {
    const bool stagnated = solver_.status() == Status::stagnated;
    if (!stagnated && saved_ != solver_.iterations()) save();
    ckpt_.wait();
    if (!context_.world.is_root()) return;
    context_.log.warning(
        stagnated
            ? fmt::format("no convergence: rounding keeps the residual above --tolerance {}; "
                          "ask for less",
                          settings_.tolerance)
            : fmt::format(
                  "no convergence within --max-iterations {}{}", settings_.max_iterations,
                  settings_.ckpt.directory.empty() ? "" : "; with more, it goes on from here"));
  }

  [[nodiscard]] std::span<const double> x() const { return solver_.state().x; }
  [[nodiscard]] std::string digest() const {
    return ckpt::digest(context_.world, x(),
                        block_of(system_.matrix.partition(), context_.world.rank()));
  }

  program::Context& context_;
  const Settings& settings_;
  System system_;
  ConjugateGradient solver_;
  ckpt::Checkpointer ckpt_;
  std::optional<std::uint64_t> restored_from_;
  std::optional<std::uint64_t> saved_;  // the iteration of the newest epoch
  program::Pace pace_;
  std::uint64_t done_ = 0;  // iterations of this launch
  double seconds_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  program::Options options("cairn-cg",
                           "Conjugate gradients for symmetric positive definite systems A x = b.");
  declare(options, settings);
  return program::run(argc, argv, options, [&](program::Context& context) {
    const auto solver = solver_options(options, settings);
    settings.ckpt.check_places(context, {settings.output, settings.result},
                               {settings.system.matrix, settings.system.rhs});
    if (settings.output.extension() == ".h5")
      program::check_replaceable(context.world, settings.output);
    return Job(context, settings, solver).run();
  });
}
