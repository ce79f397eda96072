/// Ends a process that waits for others for too long.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace cairn::ckpt {

/// While it lives, a process has so many seconds; then it exits at once with 75 (run again), as no
/// call of MPI could end that waits for a rank that hangs. The launcher ends the other ranks. A
/// thread of its own, which calls nothing of MPI.
class Watchdog {
 public:
  using Tell = std::function<void(std::string_view)>;

  /// With 0 seconds it does not watch, nor when no thread is to be had.
  /// @param tell  is told `why` before the exit, from that thread; may be empty, must not throw
  Watchdog(double seconds, std::string why, Tell tell);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();

 private:
  void watch(double seconds);

  std::string why_;
  Tell tell_;
  std::mutex mutex_;
  std::condition_variable called_off_;
  bool is_off_ = false;
  std::thread thread_;
};

}  // namespace cairn::ckpt
