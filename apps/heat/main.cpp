// cairn-heat: the heat equation on the unit square, restartable on any number of ranks, with the
// same bits.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/ckpt/stream.hpp"
#include "cairn/ckpt/xdmf.hpp"
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
#include "field.hpp"
#include "initial.hpp"
#include "kernel.hpp"
#include "output.hpp"
#include "picture.hpp"
#include "result.hpp"

namespace {

using namespace cairn;
using namespace cairn::heat;
using Clock = std::chrono::steady_clock;

Failpoint at_step{"heat.step"};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct Settings {
  int size = 1024;
  std::uint64_t steps = 1000;
  std::string initial = "sine";
  std::uint64_t seed = 1;
  program::CheckpointOptions ckpt;
  std::uint64_t norm_every = 0;
  std::filesystem::path picture;
  std::filesystem::path output;
  std::filesystem::path result;
};

void declare(program::Options& options, Settings& settings) {
  options.add("size", settings.size, "grid points along one side of the unit square")
      .add("steps", settings.steps, "time steps, each of 0.2 h^2 with h = 1 / (size + 1)")
      .add("initial", settings.initial, "what is there at first: sine, spots, or a FILE.png (grey)")
      .add("seed", settings.seed, "where the spots lie");
  settings.ckpt.declare(options, "steps");
  options.add("norm-every", settings.norm_every, "steps between printed norms; 0: only at the end")
      .add("picture", settings.picture, "PNG of the final field, at most 1024 pixels a side")
      .add("output", settings.output,
           "HDF5 file of the final field (/u), and FILE.xdmf for ParaView")
      .add("result", settings.result, "JSON file with digest, norms and speed")
      .example("mpirun -n 4 cairn-heat --steps 2000 --ckpt-dir ckpt --ckpt-every 500")
      .example("cairn-heat --size 512 --initial spots --picture spots.png --output spots.h5");
}

/// Better refused now than after hours of steps.
void check_outputs(const program::Context& context, const Settings& settings) {
  const auto xdmf = settings.output.empty() ? settings.output : ckpt::xdmf_path(settings.output);
  const bool is_named_xdmf = !settings.output.empty() && xdmf == settings.output;
  settings.ckpt.check_places(
      context, {settings.picture, settings.output, settings.result, is_named_xdmf ? "" : xdmf},
      {settings.initial});
  program::check_replaceable(context.world, settings.output);
  if (!is_named_xdmf) return;
  Error error(Errc::usage, "--output " + settings.output.string() +
                               " names an HDF5 file; its .xdmf is written beside it");
  error.mark_agreed();
  throw error;
}

/// One heat problem on this job's ranks, from the first step or from a checkpoint to the last step.
class Job {
 public:
  Job(program::Context& context, const Settings& settings)
      : context_(context),
        settings_(settings),
        field_(context.world, settings.size),
        initial_(context.world, settings.initial, settings.seed),
        stepper_(field_),
        ckpt_(context.world, settings.ckpt.resolve(
                                 context, "cairn-heat",
                                 fmt::format("size={} {}", settings.size, initial_.identity()))) {
    ckpt_.field("u", field_.now, block_of(field_), {{"units", std::string("1")}});
  }

  int run() {
    begin();
    if (const int signal = advance(); signal != 0) return stop_exit_code(signal);
    finish();
    return 0;
  }

 private:
  [[nodiscard]] double time() const {
    return static_cast<double>(step_) * mesh_ratio * field_.h() * field_.h();
  }

  void begin() {
    context_.log.info(fmt::format(
        "{0} x {0} points, {1} steps, {2}; {3} ranks in a {4} x {5} grid, {6} threads each",
        settings_.size, settings_.steps, initial_.identity(), context_.world.size(),
        field_.grid().dims(0), field_.grid().dims(1), context_.threads));
    restored_from_ = ckpt_.restore();
    if (!restored_from_) return initial_.fill(field_);
    step_ = *restored_from_;
    context_.log.info(fmt::format("restored from the checkpoint of step {}", step_));
    if (step_ <= settings_.steps) return;
    Error error(Errc::usage,
                fmt::format("the checkpoint in {} is of step {}, behind --steps {}; use "
                            "more steps or another folder",
                            settings_.ckpt.directory.string(), step_, settings_.steps));
    error.mark_agreed();
    throw error;
  }

  /// The next step at which something other than a step happens. Collective.
  [[nodiscard]] std::uint64_t next_halt() const {
    std::uint64_t halt = std::min(settings_.steps, step_ + pace_.steps(context_.world));
    for (const auto every :
         {settings_.ckpt.every, settings_.ckpt.local_every, settings_.norm_every}) {
      if (every != 0) halt = std::min(halt, step_ + every - step_ % every);
    }
    return halt;
  }

  /// Steps until the end; returns the signal that stopped it before, 0 for none.
  int advance() {
    program::Progress progress(context_, "heat", settings_.steps);
    const auto begin = Clock::now();
    first_ = step_;
    progress.update(step_);
    while (step_ < settings_.steps) {
      step_until(next_halt());
      progress.update(step_);
      if (settings_.norm_every != 0 && step_ % settings_.norm_every == 0) print(norms(field_));
      if (ckpt_.due(step_)) save();
      if (const int signal = ckpt_.stop_signal(); signal != 0 && step_ < settings_.steps) {
        program::say_stopped(context_, ckpt_,
                             {fmt::format("step {}", step_), step_, settings_.ckpt.directory});
        return signal;
      }
    }
    ckpt_.wait();
    seconds_ = seconds_since(begin);
    return 0;
  }

  void step_until(std::uint64_t halt) {
    const trace::Span span("heat.steps", static_cast<std::int64_t>(halt - step_));
    const auto begin = Clock::now();
    const auto first = step_;
    while (step_ < halt) {
      at_step.check("heat step");
      stepper_.step();
      ++step_;
    }
    const double seconds = seconds_since(begin);
    pace_.took(step_ - first, seconds);
    if (context_.world.is_root() && seconds > 0) {
      trace::counter("heat.cells_per_second", cells(step_ - first) / seconds);
    }
  }

  [[nodiscard]] double cells(std::uint64_t steps) const {
    return static_cast<double>(steps) * static_cast<double>(field_.n() * field_.n());
  }

  void save() {
    ckpt_.save(step_);
    context_.log.debug(fmt::format("saved step {}", step_));
  }

  void print(const Norms& norms) const {
    if (context_.world.is_root()) print_norms(step_, norms);
  }

  void finish() {
    Result result{.digest = ckpt::digest(field_.comm(), field_.now, block_of(field_)),
                  .size = settings_.size,
                  .steps = step_,
                  .time = time(),
                  .initial = settings_.initial,
                  .norms = norms(field_),
                  .error = {},
                  .ranks = context_.world.size(),
                  .threads = context_.threads,
                  .restarts = launch_number(),
                  .restored_from = restored_from_,
                  .seconds = seconds_,
                  .cells_per_second = seconds_ > 0 ? cells(step_ - first_) / seconds_ : 0.0};
    if (initial_.is_sine()) result.error = distance_to_sine(field_, time());
    if (settings_.norm_every == 0 || step_ % settings_.norm_every != 0) print(result.norms);
    if (!settings_.picture.empty()) draw(result.norms);
    if (!settings_.output.empty()) write_output(field_, step_, time(), settings_.output);
    together(context_.world, [&] {
      if (!context_.world.is_root()) return;
      if (!settings_.result.empty()) write_result(result, settings_.result);
      print_summary(result);
    });
  }

  void draw(const Norms& norms) {
    write_picture(field_, norms.minimum, norms.maximum, settings_.picture);
    context_.log.info(fmt::format("{}: black is {}, pale yellow is {}", settings_.picture.string(),
                                  norms.minimum, norms.maximum));
  }

  program::Context& context_;
  const Settings& settings_;
  Field field_;
  Initial initial_;
  Stepper stepper_;
  ckpt::Checkpointer ckpt_;
  std::uint64_t step_ = 0;
  std::uint64_t first_ = 0;  // the step with which this launch began
  std::optional<std::uint64_t> restored_from_;
  program::Pace pace_;
  double seconds_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  program::Options options("cairn-heat", "Heat on the unit square: explicit five-point scheme.");
  declare(options, settings);
  return program::run(argc, argv, options, [&](program::Context& context) {
    check_outputs(context, settings);
    return Job(context, settings).run();
  });
}
