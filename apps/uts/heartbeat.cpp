#include "heartbeat.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <string>

namespace cairn::uts {

namespace {

sigset_t request() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  return set;
}

/// Whether SIGUSR2 has come since the last look.
bool is_requested() {
  const auto set = request();
  const timespec at_once{};
  return sigtimedwait(&set, nullptr, &at_once) == SIGUSR2;
}

/// What rank 0 shows: with counted leaves a task is a node that has children.
std::string label_of(Leaves leaves) {
  return leaves == Leaves::pushed ? "nodes of rank 0" : "nodes with children of rank 0";
}

}  // namespace

void Heartbeat::hold_requests() {
  const auto set = request();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Heartbeat::Heartbeat(const program::Context& context, const TreeRun& run, Leaves leaves)
    : context_(context), run_(run), progress_(context, label_of(leaves), 0) {}

void Heartbeat::beat(const loadbalance::PoolPulse& pulse) {
  if (context_.world.is_root()) {
    const auto ranks = context_.world.size();
    progress_.update(run_.report().tasks + pulse.tasks,
                     fmt::format("(all {} ranks: about {:.0f} M/s, if they do as rank 0 does)",
                                 ranks, 1e-6 * pulse.tasks_per_second * ranks));
  }
  if (is_requested())
    context_.log.warning(
        fmt::format("SIGUSR2, rank {}: {}", context_.world.rank(), pulse.describe()));
}

}  // namespace cairn::uts
