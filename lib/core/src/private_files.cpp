#include "cairn/core/private_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cairn/core/error.hpp"

namespace cairn {

namespace fs = std::filesystem;

namespace {

struct stat status_of(const File& file) {
  struct stat status = {};
  check_posix(::fstat(file.descriptor(), &status), "stat " + file.path().string());
  return status;
}

[[noreturn]] void refuse_foreign(const fs::path& path) {
  throw Error(Errc::permission, path.string() +
                                    " belongs to another user; name a directory of "
                                    "your own");
}

[[noreturn]] void refuse_special(const fs::path& path) {
  throw Error(Errc::bad_data, path.string() + " is not a file");
}

}  // namespace

File open_private_directory(const fs::path& path) {
  const auto directory = path.has_filename() ? path : path.parent_path();  // "a/" is "a"
  const auto own = ::geteuid();
  struct stat link = {};
  const bool is_link = ::lstat(directory.c_str(), &link) == 0 && S_ISLNK(link.st_mode);
  if (is_link && link.st_uid != own && link.st_uid != 0) refuse_foreign(directory);
  File file(directory, O_RDONLY | O_DIRECTORY);
  const auto status = status_of(file);
  if (status.st_uid != own) refuse_foreign(directory);
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    throw Error(Errc::permission, directory.string() +
                                      " can be written to by other users; chmod go-w it, or name "
                                      "another one");
  return file;
}

void make_private_directory(const fs::path& path) {
  make_directory(path, private_directory);
  (void)open_private_directory(path);
}

File open_regular_file(const fs::path& path, int flags) {
  struct stat before = {};
  if (::lstat(path.c_str(), &before) == 0 && !S_ISREG(before.st_mode)) refuse_special(path);
  // It may have been exchanged in between.
  File file(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!S_ISREG(status_of(file).st_mode)) refuse_special(path);
  return file;
}

std::string read_regular_file(const fs::path& path) {
  const auto file = open_regular_file(path, O_RDONLY);
  std::string text(file.size_bytes(), '\0');
  file.read_at(std::as_writable_bytes(std::span(text)), 0);
  return text;
}

}  // namespace cairn
