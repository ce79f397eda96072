#include "cairn/collectives/signals.hpp"

#include <atomic>
#include <csignal>
#include <cstring>

#include "cairn/collectives/collective.hpp"
#include "cairn/core/error.hpp"

namespace cairn {

namespace {

constinit std::atomic<int> stop_signal{0};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void note_stop_signal(int signal) {
  int none = 0;
  stop_signal.compare_exchange_strong(none, signal);
}

void catch_signal(int signal, int flags) {
  struct sigaction action = {};
  action.sa_handler = note_stop_signal;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  check_posix(sigaction(signal, &action, nullptr), "sigaction");
}

}  // namespace

void catch_stop_signals() {
  static constinit std::atomic<bool> are_caught{false};
  // A second Ctrl-C is to kill, also when another Checkpointer is made after the first.
  if (are_caught.exchange(true) && pending_stop_signal() != 0) return;
  catch_signal(SIGTERM, SA_RESTART);
  catch_signal(SIGUSR1, SA_RESTART);
  catch_signal(SIGINT, static_cast<int>(SA_RESTART | SA_RESETHAND));
}

int pending_stop_signal() noexcept { return stop_signal.load(std::memory_order_relaxed); }

void request_stop(int signal) noexcept { stop_signal = signal; }

int agreed_stop_signal(const Communicator& comm) {
  return all_reduce(comm, pending_stop_signal(), Maximum{});
}

std::string name_of_signal(int signal) {
  const char* const name = sigabbrev_np(signal);
  return name == nullptr ? "signal " + std::to_string(signal) : std::string("SIG") + name;
}

int stop_exit_code(int signal) noexcept {
  return static_cast<int>(signal == SIGINT ? Errc::interrupted : Errc::run_again);
}

}  // namespace cairn
