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

struct stat status_of(int descriptor, const std::string& path) {
  struct stat status = {};
  check_posix(fstat(descriptor, &status), "stat " + path);
  return status;
}

}  // namespace

File::File(const std::string& path, int extra_flags) : path_(path) {
  before_open.check("open " + path);
  descriptor_ =
      check_posix(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | extra_flags),
                  "open " + path);
}

File::~File() { close(descriptor_); }

std::uint64_t File::size() const {
  return static_cast<std::uint64_t>(status_of(descriptor_, path_).st_size);
}

bool File::is_regular() const { return S_ISREG(status_of(descriptor_, path_).st_mode); }

std::size_t File::read_at(std::span<char> buffer, std::uint64_t offset) {
  before_read.check("read " + path_);
  for (;;) {
    const ssize_t n = pread(descriptor_, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) throw_errno(errno, "read " + path_);
  }
}

}  // namespace cairn::mapreduce
