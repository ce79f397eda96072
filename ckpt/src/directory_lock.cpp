#include "directory_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

#include "cairn/consensus/fence.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/private_files.hpp"

namespace cairn::ckpt {

namespace fs = std::filesystem;
using std::literals::string_view_literals::operator""sv;

namespace {

/// Whether the lock is held although the launch that has claimed the directory is gone: by what a
/// dead machine has left behind, or by a launch that its scheduler has given up.
bool is_lock_dead(const fs::path& directory) {
  const auto owner = consensus::owner(directory);
  return owner && owner->claim && !owner->is_released && consensus::is_owner_gone(directory);
}

[[noreturn]] void refuse_locked(const fs::path& directory) {
  auto text = "checkpoint directory " + directory.string() + " is in use by another running job";
  const auto owner = consensus::owner(directory);
  if (owner && owner->claim && !owner->is_released)
    text += " (" + consensus::describe(owner->claim->owner) + ")";
  throw Error(Errc::unavailable, text +
                                     "; end that job or choose another directory; if it is certain "
                                     "that it is gone: cairn journal fence " +
                                     directory.string());
}

}  // namespace

std::optional<File> lock_directory(const fs::path& directory, double patience_seconds) {
  // For tests of the claim, and for file systems whose locks hang.
  if (const char* lock = std::getenv("CAIRN_CKPT_LOCK"); lock != nullptr && lock == "off"sv)
    return std::nullopt;
  std::optional<File> lock(std::in_place, directory / "lock", O_RDWR | O_CREAT | O_NOFOLLOW,
                           private_file);
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(patience_seconds);
  for (int attempt = 0; ::flock(lock->descriptor(), LOCK_EX | LOCK_NB) != 0; ++attempt) {
    if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS)
      break;  // a file system without locks
    if (errno != EWOULDBLOCK && errno != EINTR) throw_errno(errno, "lock " + lock->path().string());
    const bool is_late = std::chrono::steady_clock::now() > deadline;
    if ((attempt == 0 || is_late) && is_lock_dead(directory)) {
      remove_file(directory / "lock");  // whoever holds it holds a file without a name
      lock.reset();
      lock.emplace(directory / "lock", O_RDWR | O_CREAT | O_NOFOLLOW, private_file);
    } else if (is_late) {
      refuse_locked(directory);
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  return lock;
}

}  // namespace cairn::ckpt
