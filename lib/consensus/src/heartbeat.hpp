/// The sign of life of a claim's owner: a small file whose bytes change.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

namespace cairn::consensus {

/// What the file holds when the owner with this nonce has ended in order.
[[nodiscard]] std::string released_text(const std::string& nonce);

/// Writes the file once, and then every `interval_seconds` from a thread of its own, which makes no
/// MPI call and takes no signals. It says that the process runs, not that the program gets on.
class Heartbeat {
 public:
  /// @param path  of the file; @param interval_seconds  0: no thread
  Heartbeat(std::filesystem::path path, std::string nonce, double interval_seconds);
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;
  ~Heartbeat();

  /// Ends the thread and says that the owner has ended in order. What cannot be written is not
  /// reported: then the next launch watches for a while.
  void release() noexcept;

 private:
  enum class Make : std::uint8_t { yes, no };
  void beat(Make make) noexcept;
  void run();

  std::filesystem::path path_;
  std::string nonce_;
  double interval_seconds_;
  std::uint64_t sequence_ = 0;
  bool is_released_ = false;

  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace cairn::consensus
