#include "watchdog.hpp"

#include <chrono>
#include <cstdlib>
#include <utility>

#include "cairn/core/error.hpp"

namespace cairn::ckpt {

Watchdog::Watchdog(double seconds, std::string why, Tell tell)
    : why_(std::move(why)), tell_(std::move(tell)) {
  if (seconds > 0) thread_ = std::thread([this, seconds] { watch(seconds); });
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
  const std::chrono::duration<double> time(seconds);
  if (called_off_.wait_for(lock, time, [this] { return is_off_; })) return;
  if (tell_) tell_(why_);
  std::_Exit(static_cast<int>(Errc::run_again));
}

}  // namespace cairn::ckpt
