#include "cairn/mapreduce/pulse.hpp"

#include <csignal>
#include <thread>

#include "cairn/collectives/signals.hpp"
#include "mpi_test.hpp"

using namespace cairn;
using namespace cairn::mapreduce;
using namespace std::chrono_literals;

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Beats until it is told to leave, ten seconds at most.
double work_until_told(Pulse& pulse) {
  const auto start = std::chrono::steady_clock::now();
  while (pulse.beat(1) && seconds_since(start) < 10) std::this_thread::sleep_for(1ms);
  return seconds_since(start);
}

}  // namespace

TEST_CASE("all finish; rank 0 has seen the sum of what was done") {
  const auto& comm = test::world();
  std::uint64_t seen = 0;
  Pulse pulse(comm, [&](std::uint64_t done) {
    CHECK(done >= seen);
    seen = done;
  });
  for (int i = 0; i <= comm.rank() * 20; ++i) {
    CHECK(pulse.beat(10));
    std::this_thread::sleep_for(1ms);
  }
  pulse.finish(Pulse::Outcome::done);
  std::uint64_t expected = 0;
  for (int r = 0; r < comm.size(); ++r) expected += 10 * (static_cast<std::uint64_t>(r) * 20 + 1);
  CHECK(seen == (comm.is_root() ? expected : 0));
}

TEST_CASE("a failure on one rank reaches the others while they work") {
  const auto& comm = test::world();
  Pulse pulse(comm);
  if (comm.rank() == comm.size() - 1) {
    pulse.finish(Pulse::Outcome::failed);
  } else {
    CHECK(work_until_told(pulse) < 5);
    pulse.finish(Pulse::Outcome::done);
  }
}

TEST_CASE("a request to stop at one rank reaches all, also those that have finished") {
  const auto& comm = test::world();
  Pulse pulse(comm);
  if (comm.rank() == comm.size() - 1) request_stop(SIGTERM);
  if (comm.rank() % 2 == 0) CHECK(work_until_told(pulse) < 5);
  pulse.finish(Pulse::Outcome::done);
  request_stop(0);
}
