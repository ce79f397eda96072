#include "watchdog.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "cairn/core/error.hpp"
#include "cairn/core/signals_blocked.hpp"

namespace cairn::ckpt {

Watchdog::Watchdog(double seconds, std::string why, Tell tell)
    : why_(std::move(why)), tell_(std::move(tell)) {
  if (seconds <= 0) return;
  const SignalsBlocked for_the_thread;  // they are the main thread's
  try {
    thread_ = std::thread([this, seconds] { watch(seconds); });
  } catch (const std::system_error&) {  // no thread is to be had: then nobody watches
  }
}

Watchdog::~Watchdog() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    is_off_ = true;
  }
  called_off_.notify_one();
  thread_.join();
}

void Watchdog::watch(double seconds) {
  std::unique_lock lock(mutex_);
  // A second at a time: one for which the whole job was suspended is one, however long it took.
  double left = seconds;
  while (left > 0) {
    const std::chrono::duration<double> time(std::min(left, 1.0));
    if (called_off_.wait_for(lock, time, [this] { return is_off_; })) return;
    left -= time.count();
  }
  if (tell_) tell_(why_);
  std::_Exit(static_cast<int>(Errc::run_again));
}

}  // namespace cairn::ckpt
