/// What a test does to fsync(2) and fdatasync(2) of its own program: looks, holds them up, lets
/// them fail. To be included by one source of a program.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace cairn::test {

/// The disks of this program.
class DiskCalls {
 public:
  /// The one of the program: never destroyed, since threads may use it to the end.
  static DiskCalls& all() {
    static auto& calls = *new DiskCalls;
    return calls;
  }

  /// fdatasync of what is in this folder does not return until let_go().
  void hold(const std::filesystem::path& folder) { set(held_, folder); }
  void let_go() { set(held_, {}); }
  /// fdatasync of what is in this folder says EIO, until it is told to be well.
  void fail(const std::filesystem::path& folder) { set(failing_, folder); }
  void be_well() { set(failing_, {}); }
  /// Every fdatasync takes that much longer.
  void slow_down(std::chrono::microseconds time) { delay_ = time.count(); }

  /// The directories that were synced since the last call.
  std::set<std::string> take_synced() {
    const std::lock_guard lock(mutex_);
    return std::exchange(synced_, {});
  }

  void on_fsync(int descriptor) {
    const auto path = path_of(descriptor);
    const std::lock_guard lock(mutex_);
    synced_.insert(path);
  }
  /// Whether it is to be done; else errno says why not.
  bool on_fdatasync(int descriptor) {
    if (const auto delay = delay_.load(); delay != 0) ::usleep(static_cast<useconds_t>(delay));
    const auto folder = std::filesystem::path(path_of(descriptor)).parent_path();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return held_.empty() || folder != held_; });
    if (failing_.empty() || folder != failing_) return true;
    errno = EIO;
    return false;
  }

 private:
  void set(std::filesystem::path& place, const std::filesystem::path& value) {
    const std::lock_guard lock(mutex_);
    place = value;
    changed_.notify_all();
  }
  static std::string path_of(int descriptor) {
    std::error_code code;
    return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor), code);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::filesystem::path held_;
  std::filesystem::path failing_;
  std::atomic<std::int64_t> delay_ = 0;  // in us
  std::set<std::string> synced_;
};

}  // namespace cairn::test

extern "C" {

int fsync(int descriptor) {
  cairn::test::DiskCalls::all().on_fsync(descriptor);
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

int fdatasync(int descriptor) {
  if (!cairn::test::DiskCalls::all().on_fdatasync(descriptor)) return -1;
  return static_cast<int>(::syscall(SYS_fdatasync, descriptor));
}
}
