/// A thread that writes one epoch while the program computes.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

namespace cairn::ckpt {

/// Runs one piece of work at a time, at low priority, with all signals blocked. Knows nothing of
/// MPI. All functions are for the thread that owns it.
class BackgroundWriter {
 public:
  using Work = std::function<std::vector<std::uint32_t>()>;

  BackgroundWriter() = default;
  BackgroundWriter(const BackgroundWriter&) = delete;
  BackgroundWriter& operator=(const BackgroundWriter&) = delete;
  /// Waits for the work.
  ~BackgroundWriter();

  /// Starts `work`; the one before has been taken.
  /// @throws std::system_error when there can be no thread
  void start(Work work);

  /// Whether the work has ended, well or not. Never blocks.
  [[nodiscard]] bool is_done() const noexcept { return done_.load(std::memory_order_acquire); }

  /// Waits for the work and returns its result, or throws what it threw.
  [[nodiscard]] std::vector<std::uint32_t> take();

 private:
  void run() noexcept;

  Work work_;
  std::vector<std::uint32_t> result_;
  std::exception_ptr failure_;
  std::atomic<bool> done_{true};
  std::thread thread_;
};

}  // namespace cairn::ckpt
