#include "spare.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

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
bool is_private(const File& file) {
  struct stat status = {};
  if (::fstat(file.descriptor(), &status) != 0 || status.st_nlink != 1) return false;
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
  if (!fs::exists(retired)) return;
  rename_file(retired, path_);
  epoch_ = epoch;
}

bool Spare::take_place_of(const fs::path& path, const DataFileLayout& layout) const {
  std::optional<File> spare;
  if (is_regular(path_)) spare.emplace(path_, O_RDWR | O_NOFOLLOW);
  if (!spare || !is_private(*spare)) {
    remove();
    return false;
  }
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
  return true;
}

void Spare::remove() const noexcept { ::unlink(path_.c_str()); }

}  // namespace cairn::ckpt
