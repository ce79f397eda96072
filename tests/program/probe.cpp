// A program whose behaviour process.py observes from outside.

#include <fmt/ranges.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <new>
#include <stdexcept>
#include <thread>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/program/pool_heartbeat.hpp"
#include "cairn/program/program.hpp"
#include "cairn/program/progress.hpp"

using namespace cairn;

namespace {

Failpoint probe_step{"probe.step"};

/// The ranks from 1 on agree on an error that rank 0 does not hear of.
void fail_in_part(const Communicator& world) {
  const auto part = world.split(std::min(world.rank(), 1));
  if (world.rank() > 0) throw_agreed(part, Errc::bad_data, "a part is damaged");
}

void fail(const Communicator& world, const std::string& mode) {
  const bool is_last = world.rank() == world.size() - 1;
  if (mode == "agreed") {
    together(world, [&] {
      if (is_last) throw Error(Errc::bad_data, "input is\ndamaged");
    });
  } else if (mode == "part") {
    fail_in_part(world);
  } else if (mode == "part-caught") {
    try {
      fail_in_part(world);
    } catch (const Error& error) {
      if (error.agreed_rank() > 0) throw;  // the first of them goes on as if nothing had happened
    }
  } else if (is_last) {
    if (mode == "lone") throw Error(Errc::input_output, "disk is gone");
    if (mode == "foreign") throw std::runtime_error("surprise");
    if (mode == "memory") throw std::bad_alloc();
  }
  barrier(world);  // where the others wait
}

void show_progress(program::Context& context) {
  program::Progress progress(context, "probe", 40);
  for (std::uint64_t step = 0; step <= 40; ++step) {
    probe_step.check("step");
    progress.update(step);
    if (step == 20) context.log.info("half way");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

/// What a pool would tell of a rank without tasks.
void be_silent(program::Context& context) {
  program::PoolHeartbeat heartbeat(context, "tasks of rank 0");
  loadbalance::PoolPulse pulse;
  for (int beat = 0; beat <= 40; ++beat) {
    pulse.tasks = std::min(beat, 10);
    heartbeat.beat(pulse, 5);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void write_lines(program::Context& context, int lines) {
  const std::string filler(200, static_cast<char>('a' + context.world.rank()));
  for (int line = 0; line < lines; ++line) {
    context.log.info(fmt::format("info {} end", filler));
    context.log.warning(fmt::format("{} {} end", line, filler));
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string mode = "values";
  int size = 7;
  program::Options options("program-probe", "does what the test asks for", "WORD…");
  options.add("mode", mode, "what to do");
  options.add("size", size, "a number");
  std::vector<std::string> words;
  options.positional("WORD", words, "words to repeat");
  options.example("program-probe --size 5 word");
  return program::run(argc, argv, options, [&](program::Context& context) {
    const auto& world = context.world;
    if (mode == "values") {
      const int sum = all_reduce(world, size);
      if (world.is_root()) {
        std::cout << "ranks " << world.size() << " sum " << sum << " threads " << context.threads
                  << " omp " << omp_get_max_threads() << " words "
                  << fmt::format("{}", fmt::join(words, "|")) << "\n";
      }
    } else if (mode == "log") {
      write_lines(context, size);
    } else if (mode == "progress") {
      show_progress(context);
    } else if (mode == "silence") {
      be_silent(context);
    } else if (mode == "code") {
      std::cout << "rank " << world.rank() << "\n";
      return size;
    } else {
      fail(world, mode);
    }
    return 0;
  });
}
