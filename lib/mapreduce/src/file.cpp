#include "file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"

namespace cairn::mapreduce {

namespace {

Failpoint before_open{"mapreduce.open"};
Failpoint before_read{"mapreduce.read"};

}  // namespace

File::File(const std::string& path) : path_(path) {
  before_open.check("open " + path);
  descriptor_ =
      check_posix(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), "open " + path);
}

File::~File() { close(descriptor_); }

std::uint64_t File::size() const {
  struct stat status = {};
  check_posix(fstat(descriptor_, &status), "stat " + path_);
  return static_cast<std::uint64_t>(status.st_size);
}

std::size_t File::read_at(std::span<char> buffer, std::uint64_t offset) {
  before_read.check("read " + path_);
  for (;;) {
    const ssize_t n = pread(descriptor_, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) throw_errno(errno, "read " + path_);
  }
}

}  // namespace cairn::mapreduce
