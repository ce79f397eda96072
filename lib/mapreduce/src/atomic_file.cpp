#include "cairn/mapreduce/atomic_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"

namespace cairn::mapreduce {

namespace fs = std::filesystem;

namespace {

Failpoint before_write{"mapreduce.write"};
Failpoint before_rename{"mapreduce.rename"};

/// Where `path` leads, through links; itself when nothing is there yet.
fs::path resolved(const fs::path& path) {
  std::error_code code;
  const fs::path real = fs::canonical(path, code);
  return code ? path : real;
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

void sync_folder(const fs::path& folder) {
  const std::string what = "sync folder " + folder.string();
  const int descriptor =
      check_posix(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), what);
  const int result = fsync(descriptor);
  const int error = errno;
  close(descriptor);
  // Some file systems cannot sync a folder and say EINVAL; they have nothing to sync there.
  if (result < 0 && error != EINVAL) throw_errno(error, what);
}

}  // namespace

void write_fully(int descriptor, std::string_view bytes, std::string_view name) {
  const std::string what = "write " + std::string(name);
  before_write.check(what);
  while (!bytes.empty()) {
    const ssize_t n = write(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    bytes.remove_prefix(static_cast<std::size_t>(check_posix(n, what)));
  }
}

AtomicFile::AtomicFile(const fs::path& path) : target_(resolved(path)) {
  std::error_code code;
  const fs::file_type type = fs::status(target_, code).type();
  if (type == fs::file_type::directory)
    throw Error(Errc::usage, target_.string() + " is a folder; name a file in it");
  if (type == fs::file_type::regular || type == fs::file_type::not_found) {
    open_temporary();
  } else {
    descriptor_ = check_posix(open(target_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY),
                              "open " + target_.string());
  }
}

/// A name that no other process uses, in the folder of the target, so that rename() can be atomic.
void AtomicFile::open_temporary() {
  for (int attempt = 0; descriptor_ < 0; ++attempt) {
    temporary_ = folder_of(target_) /
                 (".cairn-" + std::to_string(getpid()) + "-" + std::to_string(attempt) + ".tmp");
    descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST) {
      const int error = errno;
      temporary_.clear();
      throw_errno(error, "create " + target_.string());
    }
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view bytes) {
  write_fully(descriptor_, bytes, target_.string());
}

void AtomicFile::commit() {
  if (!temporary_.empty()) check_posix(fsync(descriptor_), "sync " + target_.string());
  const int descriptor = descriptor_;
  descriptor_ = -1;
  check_posix(close(descriptor), "close " + target_.string());
  if (temporary_.empty()) return;
  before_rename.check("rename to " + target_.string());
  check_posix(rename(temporary_.c_str(), target_.c_str()), "rename to " + target_.string());
  temporary_.clear();
  sync_folder(folder_of(target_));
}

}  // namespace cairn::mapreduce
