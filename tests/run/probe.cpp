// A program that steps, saves now and then, and stops on request: what `cairn run` is for, without
// a checkpoint library. The "epoch" is a text file with the step, written by rank 0.

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/signals.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/program/program.hpp"
#include "cairn/trace/trace.hpp"

using namespace cairn;

namespace {

Failpoint at_step{"probe.step"};

struct Settings {
  int steps = 40;
  int every = 0;  // steps between epochs
  double step_ms = 20;
  double save_seconds = 0.05;
  int code = 0;       // exit code at the end
  bool deaf = false;  // does not look at the request to stop
  std::filesystem::path file;
};

class Probe {
 public:
  Probe(program::Context& context, const Settings& settings)
      : world_(context.world), settings_(settings) {}

  int run() {
    note_job();
    restore();
    trace::flush();
    while (step_ < settings_.steps) {
      advance();
      const int signal = settings_.deaf ? 0 : agreed_stop_signal(world_);
      const bool is_due = settings_.every > 0 && step_ % settings_.every == 0;
      if (signal != 0 || is_due) {
        save();
        trace::flush();
      }
      if (signal != 0) return stop_exit_code(signal);
    }
    if (world_.is_root()) {
      std::cout << "done " << step_ << " ranks " << world_.size() << " launch " << launch_number()
                << std::endl;
    }
    return settings_.code;
  }

 private:
  /// For the test, which looks for what this job has left in /dev/shm.
  void note_job() const {
    const char* job = std::getenv("PMIX_NAMESPACE");
    if (!world_.is_root() || job == nullptr || settings_.file.empty()) return;
    std::ofstream(settings_.file.string() + ".jobs", std::ios::app) << job << "\n";
  }

  void restore() {
    const trace::Span span("ckpt.restore");
    if (world_.is_root()) {
      std::ifstream(settings_.file) >> step_;
      if (step_ > 0) trace::instant("epoch.restored", step_ / 10);
    }
    step_ = bcast(world_, step_);
  }

  void advance() {
    const trace::Span span("probe.step", step_);
    at_step.check("step");
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(settings_.step_ms));
    ++step_;
    barrier(world_);
    if (world_.is_root()) trace::counter("probe.steps_per_second", 1e3 / settings_.step_ms);
  }

  void save() {
    const trace::Span span("ckpt.save", step_);
    std::this_thread::sleep_for(std::chrono::duration<double>(settings_.save_seconds));
    barrier(world_);
    if (!world_.is_root() || settings_.file.empty()) return;
    const auto temporary = settings_.file.string() + ".tmp";
    std::ofstream(temporary) << step_ << "\n";
    std::filesystem::rename(temporary, settings_.file);
    trace::instant("epoch.committed", step_ / 10);
  }

  const Communicator& world_;
  const Settings& settings_;
  int step_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  program::Options options("run-probe", "steps, saves and stops");
  options.add("steps", settings.steps, "steps until the end")
      .add("every", settings.every, "steps between epochs")
      .add("step-ms", settings.step_ms, "milliseconds per step")
      .add("save-seconds", settings.save_seconds, "seconds that an epoch takes")
      .add("code", settings.code, "exit code at the end")
      .add("file", settings.file, "where the epoch is written")
      .flag("deaf", settings.deaf, "take no notice of a request to stop");
  return program::run(argc, argv, options,
                      [&](program::Context& context) { return Probe(context, settings).run(); });
}
