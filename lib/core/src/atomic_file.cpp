#include "cairn/core/atomic_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <span>
#include <system_error>

#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/core/file.hpp"
#include "cairn/core/private_files.hpp"

namespace cairn {

namespace fs = std::filesystem;

namespace {

Failpoint before_write{"file.write"};
Failpoint before_rename{"file.rename"};

/// Where `path` leads, through links; itself when it is none, and nothing is there yet.
fs::path resolved(const fs::path& path) {
  std::error_code code;
  if (!fs::exists(path, code) && !fs::is_symlink(path, code)) return path;
  const fs::path place = place_of(path);
  return place.empty() ? path : place;
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// What the temporary files of this host begin with.
std::string temporary_prefix() {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  return std::string(".cairn-") + host + "-";
}

/// Removes a temporary file whose writer is dead: the lock of a living one is taken.
void remove_if_abandoned(const fs::path& path) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) return;
  if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) unlink(path.c_str());
  close(descriptor);
}

/// Whatever cannot be looked at stays.
void remove_abandoned(const fs::path& folder) {
  const auto prefix = temporary_prefix();
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    const auto name = entry->path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(".tmp")) remove_if_abandoned(entry->path());
  }
}

/// Takes the lock of a file that was just made; false when another process took it for abandoned
/// in the meantime. Without locks in the file system nobody takes it for abandoned.
bool lock_new_file(int descriptor) {
  struct stat now = {};
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) return errno != EWOULDBLOCK;
  return fstat(descriptor, &now) != 0 || now.st_nlink > 0;
}

}  // namespace

AtomicFile::AtomicFile(const fs::path& path, FileAccess access)
    : target_(access == FileAccess::owner ? path : resolved(path)) {
  std::error_code code;
  const bool is_private = access == FileAccess::owner;
  if (const int descriptor = is_private ? -1 : open_descriptor(path); descriptor >= 0)
    descriptor_ = check_posix(fcntl(descriptor, F_DUPFD_CLOEXEC, 0), "open " + target_.string());
  if (descriptor_ >= 0) return;
  const fs::file_type type =
      (is_private ? fs::symlink_status(target_, code) : fs::status(target_, code)).type();
  if (type == fs::file_type::directory)
    throw Error(Errc::usage, target_.string() + " is a folder; name a file in it");
  if (type == fs::file_type::regular || type == fs::file_type::not_found) {
    open_temporary(is_private ? private_file : 0666);
  } else if (is_private) {
    throw Error(Errc::bad_data, target_.string() + " is not a file");
  } else {
    descriptor_ = check_posix(open(target_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY),
                              "open " + target_.string());
  }
}

/// A name that no other process uses, in the folder of the target, so that rename() can be atomic.
void AtomicFile::open_temporary(unsigned mode) {
  const auto folder = folder_of(target_);
  remove_abandoned(folder);
  const auto name = temporary_prefix() + std::to_string(getpid()) + "-";
  for (int attempt = 0; descriptor_ < 0; ++attempt) {
    temporary_ = folder / (name + std::to_string(attempt) + ".tmp");
    descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (descriptor_ < 0 && errno != EEXIST) {
      const int error = errno;
      temporary_.clear();
      throw_errno(error, "create " + target_.string());
    }
    if (descriptor_ >= 0 && !lock_new_file(descriptor_)) {
      close(descriptor_);
      descriptor_ = -1;
    }
  }
  struct stat old = {};
  if (mode != private_file && stat(target_.c_str(), &old) == 0) {
    mode_ = old.st_mode & 0777U;
    // Others of the job write it, too. Where this is not allowed the mode is the umask's.
    fchmod(descriptor_, *mode_ | S_IRUSR | S_IWUSR);
  }
  lock_ = fcntl(descriptor_, F_DUPFD_CLOEXEC, 0);
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
  if (descriptor_ >= 0) close(descriptor_);
  if (lock_ >= 0) close(lock_);
}

void AtomicFile::write(std::string_view bytes) {
  before_write.check("write " + target_.string());
  if (temporary_.empty()) std::fflush(stdout);  // it may go there, too, and then in this order
  write_fully(descriptor_, std::as_bytes(std::span(bytes)), target_.string());
}

void AtomicFile::commit() {
  if (mode_) fchmod(descriptor_, *mode_);
  if (!temporary_.empty()) check_posix(fsync(descriptor_), "sync " + target_.string());
  const int descriptor = descriptor_;
  descriptor_ = -1;  // lock_ holds on to the file until it has its name
  check_posix(close(descriptor), "close " + target_.string());
  if (temporary_.empty()) return;
  before_rename.check("rename to " + target_.string());
  check_posix(rename(temporary_.c_str(), target_.c_str()), "rename to " + target_.string());
  temporary_.clear();
  sync_directory(folder_of(target_));
}

void expect_replaceable(const fs::path& path) {
  std::error_code code;
  if (!fs::exists(path, code)) return;
  if (open_descriptor(path) >= 0)
    throw Error(Errc::usage, path.string() + " is where this program prints to; name another file");
  if (fs::is_regular_file(path, code)) return;
  throw Error(Errc::usage, path.string() + " is not a file, and cannot be replaced by one");
}

void write_file_atomically(const fs::path& path, std::string_view text, FileAccess access) {
  AtomicFile file(path, access);
  file.write(text);
  file.commit();
}

}  // namespace cairn
