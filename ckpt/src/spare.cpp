#include "spare.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <utility>

#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/core/file.hpp"
#include "store.hpp"

namespace cairn::ckpt {

namespace fs = std::filesystem;

namespace {

Failpoint before_structure{"ckpt.recycle.structure"};
Failpoint before_rename{"ckpt.recycle.rename"};

/// Whether nothing but this process can see what is written into the file. Other processes on this
/// machine show in that the kernel refuses a write lease; where it has no leases, and on other
/// machines, they do not show.
bool is_private(const File& file, const struct stat& status) {
  if (status.st_nlink != 1) return false;
  // Somebody may open the file while we hold the lease. The kernel tells that by SIGIO, which
  // kills, unless it is asked for another signal: SIGURG is ignored by default.
  if (::fcntl(file.descriptor(), F_SETSIG, SIGURG) != 0) return false;
  if (::fcntl(file.descriptor(), F_SETLEASE, F_WRLCK) != 0) return errno != EAGAIN;
  ::fcntl(file.descriptor(), F_SETLEASE, F_UNLCK);
  return true;
}

/// A link could lead to somebody else's file.
bool is_regular(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(fs::symlink_status(path, error));
}

}  // namespace

Spare::Spare(const fs::path& directory) : path_(directory / file_name) {}

void Spare::keep(const fs::path& retired, std::uint64_t epoch) {
  epoch_ = 0;
  if (!is_there(retired)) return;
  rename_file(retired, path_);
  struct stat status = {};
  if (::lstat(path_.c_str(), &status) != 0) return;
  device_ = status.st_dev;
  inode_ = status.st_ino;
  epoch_ = epoch;
}

bool Spare::take_place_of(const fs::path& path, const DataFileLayout& layout) {
  const auto epoch = std::exchange(epoch_, 0);  // from now on, should something fail
  std::optional<File> spare;
  if (is_regular(path_)) spare.emplace(path_, O_RDWR | O_NOFOLLOW);
  struct stat status = {};
  if (!spare || ::fstat(spare->descriptor(), &status) != 0 || !is_private(*spare, status)) {
    remove();
    return false;
  }
  // A launch that has lost the directory may have put a file of its own there.
  const bool is_known = status.st_dev == device_ && status.st_ino == inode_;
  const File skeleton(path, O_RDONLY);
  before_structure.check("write " + path_.string());
  // Who was let read the retired epoch was not let read this one.
  check_posix(::fchmod(spare->descriptor(), private_file), "chmod " + path_.string());
  spare->resize(layout.size_bytes);
  spare->reserve(layout.size_bytes);
  copy_structure(skeleton, *spare, layout);
  spare->close();
  before_rename.check("rename " + path_.string());
  rename_file(path_, path);
  epoch_ = is_known ? epoch : 0;
  return true;
}

void Spare::remove() const noexcept { ::unlink(path_.c_str()); }

}  // namespace cairn::ckpt
