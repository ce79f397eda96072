/// Ends a process that waits for others for too long.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace cairn::ckpt {

/// While it lives, a process has so many seconds; then `why` goes to stderr, and it exits at once
/// with 75 (run again), as no call of MPI could end that waits for a rank that hangs. The launcher
/// ends the other ranks. A thread of its own, which calls nothing of MPI.
class Watchdog {
 public:
  /// With 0 seconds it does not watch.
  Watchdog(double seconds, std::string why);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();

 private:
  void watch(double seconds);

  std::string why_;
  std::mutex mutex_;
  std::condition_variable called_off_;
  bool is_off_ = false;
  std::thread thread_;
};

}  // namespace cairn::ckpt
