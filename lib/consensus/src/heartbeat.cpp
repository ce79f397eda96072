#include "heartbeat.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

#include "cairn/core/signals_blocked.hpp"

namespace cairn::consensus {

namespace {

/// Opened and closed each time: an NFS client sends what was written at the close, and another one
/// looks at the open. Not synced: after a crash of the machine nobody beats any more.
void write_text(const std::filesystem::path& path, const std::string& text, int more_flags) {
  const int file =
      ::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | more_flags, 0600);
  if (file < 0) return;
  [[maybe_unused]] const auto written = ::pwrite(file, text.data(), text.size(), 0);
  ::close(file);
}

}  // namespace

/// Of one length, so that it can be written over in place.
std::string released_text(const std::string& nonce) { return "released " + nonce + "\n"; }

Heartbeat::Heartbeat(std::filesystem::path path, std::string nonce, double interval_seconds)
    : path_(std::move(path)), nonce_(std::move(nonce)), interval_seconds_(interval_seconds) {
  beat(Make::yes);
  if (interval_seconds_ <= 0) return;
  const SignalsBlocked for_the_thread;  // they are the program's
  thread_ = std::thread([this] { run(); });
}

Heartbeat::~Heartbeat() { release(); }

void Heartbeat::beat(Make make) noexcept {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "beating  %0*llu\n", static_cast<int>(nonce_.size()),
                static_cast<unsigned long long>(++sequence_));
  write_text(path_, text.data(), make == Make::yes ? O_CREAT : 0);
}

void Heartbeat::run() {
  std::unique_lock lock(mutex_);
  const std::chrono::duration<double> interval(interval_seconds_);
  while (!stopped_.wait_for(lock, interval, [this] { return stop_; })) beat(Make::no);
}

void Heartbeat::release() noexcept {
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    stopped_.notify_all();
    thread_.join();
  }
  if (!std::exchange(is_released_, true)) write_text(path_, released_text(nonce_), 0);
}

}  // namespace cairn::consensus
