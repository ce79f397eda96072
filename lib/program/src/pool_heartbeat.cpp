#include "cairn/program/pool_heartbeat.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <utility>

#include "short_number.hpp"

namespace cairn::program {

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

}  // namespace

void PoolHeartbeat::hold_requests() {
  const auto set = request();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

PoolHeartbeat::PoolHeartbeat(const Context& context, const std::string& label)
    : context_(context), progress_(context, label, 0), silence_(context.progress_every) {}

void PoolHeartbeat::beat(const loadbalance::PoolPulse& pulse, std::uint64_t before) {
  if (context_.world.is_root()) {
    const auto ranks = context_.world.size();
    progress_.update(before + pulse.tasks,
                     fmt::format("(all {} ranks: about {}/s, if they do as rank 0 does)", ranks,
                                 short_number(pulse.tasks_per_second * ranks)));
    tell_of_silence(pulse, before + pulse.tasks);
  }
  if (is_requested())
    context_.log.warning(
        fmt::format("SIGUSR2, rank {}: {}", context_.world.rank(), pulse.describe()));
}

void PoolHeartbeat::tell_of_silence(const loadbalance::PoolPulse& pulse, std::uint64_t tasks) {
  const auto now = Reminder::Clock::now();
  if (tasks != std::exchange(tasks_, tasks)) return silence_.restart(now);
  if (silence_.is_due(now))
    context_.log.info(fmt::format(
        "no task of rank 0 has ended for {:.0f} s: some are long, or the run hangs; {}; "
        "SIGUSR2 makes any rank say the same of itself",
        silence_.seconds(now), pulse.describe()));
}

}  // namespace cairn::program
