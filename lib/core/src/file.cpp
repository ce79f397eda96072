#include "cairn/core/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string>
#include <utility>

#include "cairn/core/error.hpp"

namespace cairn {

namespace fs = std::filesystem;

namespace {

constexpr int most_links = 40;  // as in Linux

/// N where links lead from `path` to /proc/self/fd/N; -1 where they do not.
int descriptor_named(const fs::path& path) {
  std::error_code code;
  const auto descriptors = fs::canonical("/proc/self/fd", code);
  if (code) return -1;
  auto name = fs::absolute(path, code);
  for (int links = 0; links < most_links; ++links) {
    if (fs::canonical(name.parent_path(), code) == descriptors) {
      const auto number = name.filename().string();
      int descriptor = -1;
      (void)std::from_chars(number.data(), number.data() + number.size(), descriptor);
      return descriptor;
    }
    if (!fs::is_symlink(name, code)) break;
    name = name.parent_path() / fs::read_symlink(name, code);
  }
  return -1;
}

}  // namespace

File::File(const fs::path& path, int flags, unsigned mode)
    : path_(path),
      descriptor_(
          check_posix(::open(path.c_str(), flags | O_CLOEXEC, mode), "open " + path.string())) {}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

File::File(File&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

std::uint64_t File::size_bytes() const {
  struct stat status = {};
  check_posix(::fstat(descriptor_, &status), "stat " + path_.string());
  return static_cast<std::uint64_t>(status.st_size);
}

void File::write(std::span<const std::byte> bytes) {
  write_fully(descriptor_, bytes, path_.string());
}

void File::write_at(std::span<const std::byte> bytes, std::uint64_t offset_bytes) {
  while (!bytes.empty()) {
    const auto written =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset_bytes));
    if (written < 0 && errno == EINTR) continue;
    check_posix(written, "write " + path_.string());
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset_bytes += static_cast<std::uint64_t>(written);
  }
}

void File::read_at(std::span<std::byte> bytes, std::uint64_t offset_bytes) const {
  while (!bytes.empty()) {
    const auto got =
        ::pread(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset_bytes));
    if (got < 0 && errno == EINTR) continue;
    check_posix(got, "read " + path_.string());
    if (got == 0) {
      throw Error(Errc::bad_data, path_.string() + " is truncated: it ends at byte " +
                                      std::to_string(offset_bytes));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    offset_bytes += static_cast<std::uint64_t>(got);
  }
}

void File::reserve(std::uint64_t size_bytes) {
  if (size_bytes == 0) return;
  while (::fallocate(descriptor_, 0, 0, static_cast<off_t>(size_bytes)) != 0) {
    if (errno == EINTR) continue;
    if (errno == EOPNOTSUPP || errno == ENOSYS) return;
    throw_errno(errno, "reserve " + std::to_string(size_bytes) + " bytes for " + path_.string());
  }
}

void File::resize(std::uint64_t size_bytes) {
  check_posix(::ftruncate(descriptor_, static_cast<off_t>(size_bytes)), "resize " + path_.string());
}

void File::sync() { check_posix(::fdatasync(descriptor_), "fdatasync " + path_.string()); }

void File::close() {
  check_posix(::close(std::exchange(descriptor_, -1)), "close " + path_.string());
}

void write_fully(int descriptor, std::span<const std::byte> bytes, std::string_view name) {
  while (!bytes.empty()) {
    const auto written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    check_posix(written, "write " + std::string(name));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void sync_directory(const fs::path& directory) {
  const File handle(directory.empty() ? fs::path(".") : directory, O_RDONLY | O_DIRECTORY);
  // Some file systems cannot sync a directory and say EINVAL; they have nothing to sync there.
  if (::fsync(handle.descriptor()) != 0 && errno != EINVAL) {
    throw_errno(errno, "fsync " + directory.string());
  }
}

void make_directory(const fs::path& path, unsigned mode, std::string_view kind) {
  const auto directory = path.has_filename() ? path : path.parent_path();  // "a/" is "a"
  const auto what = "create " + std::string(kind) + " " + directory.string();
  const auto parent = fs::absolute(directory).parent_path();
  std::error_code error;
  if (!fs::exists(parent, error)) make_directory(parent);
  if (::mkdir(directory.c_str(), mode) != 0) {
    if (errno != EEXIST) throw_errno(errno, what);
    if (!fs::is_directory(directory, error)) throw_errno(ENOTDIR, what);
  }
  sync_directory(parent);
}

void rename_file(const fs::path& from, const fs::path& to) {
  check_posix(std::rename(from.c_str(), to.c_str()),
              "rename " + from.string() + " to " + to.string());
}

void remove_file(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno(errno, "remove " + path.string());
}

fs::path place_of(fs::path file) {
  if (file.empty()) return file;
  std::error_code code;
  file = fs::absolute(file, code);
  if (fs::exists(file, code)) {
    const auto real = fs::canonical(file, code);
    return code ? file : real;  // a pipe as /dev/stdout has a name, and links lead to none
  }
  for (int links = 0; links < most_links && fs::is_symlink(file, code); ++links)
    file = file.parent_path() / fs::read_symlink(file, code);
  return fs::weakly_canonical(file, code);
}

int open_descriptor(const fs::path& path) {
  struct stat file = {};
  if (path.empty() || ::stat(path.c_str(), &file) != 0) return -1;
  if (const int descriptor = descriptor_named(path); descriptor >= 0)
    return (::fcntl(descriptor, F_GETFL) & O_ACCMODE) == O_RDONLY ? -1 : descriptor;
  for (const int descriptor : {STDOUT_FILENO, STDERR_FILENO}) {
    struct stat open = {};
    if (S_ISREG(file.st_mode) && ::fstat(descriptor, &open) == 0 && open.st_dev == file.st_dev &&
        open.st_ino == file.st_ino)
      return descriptor;
  }
  return -1;
}

bool is_there(const fs::path& path) {
  struct stat status = {};
  if (::lstat(path.c_str(), &status) == 0) return true;
  if (errno != ENOENT) throw_errno(errno, "stat " + path.string());
  return false;
}

std::string read_file(const fs::path& path) {
  const File file(path, O_RDONLY);
  std::string text(file.size_bytes(), '\0');
  file.read_at(std::as_writable_bytes(std::span(text)), 0);
  return text;
}

}  // namespace cairn
