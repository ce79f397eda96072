// When a Checkpointer asks for an epoch: all ranks alike, by the clock of one.

#include <csignal>
#include <thread>

#include "cairn/collectives/signals.hpp"
#include "fixture.hpp"

using namespace cairn;
using namespace cairn::test;
using namespace std::chrono_literals;

namespace {

/// What due() said on all ranks; they must agree.
bool agreed_due(ckpt::Checkpointer& ckpt, std::uint64_t step) {
  const bool due = ckpt.due(step);
  CHECK(all_reduce(world(), static_cast<int>(due), Sum{}) == (due ? world().size() : 0));
  return due;
}

}  // namespace

TEST_CASE("by time: nothing before the interval is over, then once") {
  const SharedDirectory scratch;
  GridField u(world(), 8, 8);
  u.fill(1);
  ckpt::Checkpointer ckpt(world(), {.directory = scratch.path, .interval_seconds = 0.2});
  ckpt.field("u", u.data, u.block);
  std::uint64_t step = 1;
  while (!agreed_due(ckpt, step)) {
    std::this_thread::sleep_for(5ms);
    ++step;
  }
  CHECK(ckpt.stop_signal() == 0);
  ckpt.save(step);
  CHECK(!agreed_due(ckpt, step));  // saved already
  CHECK(ckpt.restore() == step);
}

TEST_CASE("an interval of hours: never in this test") {
  const SharedDirectory scratch;
  ckpt::Checkpointer ckpt(world(), {.directory = scratch.path, .interval_seconds = 36000});
  for (std::uint64_t step = 1; step < 20; ++step) CHECK(!agreed_due(ckpt, step));
}

TEST_CASE("the time limit: a last epoch, and a stop on all ranks, by the clock of rank 0") {
  const SharedDirectory scratch;
  const auto limit = std::chrono::system_clock::now() + (world().is_root() ? 2s : 2h);
  std::string warned;
  ckpt::Checkpointer ckpt(world(), {.directory = scratch.path,
                                    .time_limit = limit,
                                    .warn = [&](std::string_view text) { warned = text; }});
  CHECK((warned.find("stops at once") != std::string::npos) == world().is_root());
  CHECK(agreed_due(ckpt, 1));  // five seconds are kept
  CHECK(ckpt.stop_signal() == SIGXCPU);
  CHECK(stop_exit_code(ckpt.stop_signal()) == 75);
}

TEST_CASE("a time limit in hours: no stop; a signal to the last rank: a stop") {
  const SharedDirectory scratch;
  const auto limit = std::chrono::system_clock::now() + 2h;
  ckpt::Checkpointer ckpt(world(), {.directory = scratch.path,
                                    .every = 2,
                                    .time_limit = limit,
                                    .warn = [](std::string_view) { CHECK(false); }});
  CHECK(!agreed_due(ckpt, 1));
  CHECK(agreed_due(ckpt, 2));
  CHECK(ckpt.stop_signal() == 0);
  if (world().rank() == world().size() - 1) request_stop(SIGUSR1);
  CHECK(agreed_due(ckpt, 3));
  CHECK(ckpt.stop_signal() == SIGUSR1);
  request_stop(0);
  CHECK(!agreed_due(ckpt, 5));
  CHECK(ckpt.stop_signal() == 0);
}

TEST_CASE("without a directory: the limit stops, nothing is due") {
  const auto limit = std::chrono::system_clock::now();
  ckpt::Checkpointer ckpt(world(), {.every = 1, .time_limit = limit});
  CHECK(!agreed_due(ckpt, 1));
  CHECK(ckpt.stop_signal() == SIGXCPU);
}
