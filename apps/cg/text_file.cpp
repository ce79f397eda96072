#include "text_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "cairn/core/error.hpp"
#include "cairn/core/file.hpp"

namespace cairn::cg {

namespace {

struct Opened {
  gzFile file;
  std::uint64_t bytes;  // of the file, as it stands
};

Opened open_regular(const std::filesystem::path& path) {
  const File file(path, O_RDONLY | O_NONBLOCK);
  struct stat status = {};
  check_posix(::fstat(file.descriptor(), &status), "stat " + path.string());
  if (!S_ISREG(status.st_mode)) throw Error(Errc::usage, path.string() + " is no regular file");
  const int own =
      check_posix(::fcntl(file.descriptor(), F_DUPFD_CLOEXEC, 0), "open " + path.string());
  gzFile opened = ::gzdopen(own, "rb");
  if (opened == nullptr) {
    ::close(own);
    throw std::bad_alloc();
  }
  ::gzbuffer(opened, 1U << 17);
  return {opened, static_cast<std::uint64_t>(status.st_size)};
}

}  // namespace

void TextFile::Close::operator()(gzFile_s* file) const noexcept { ::gzclose(file); }

TextFile::TextFile(const std::filesystem::path& path) : path_(path), buffer_(longest_line_bytes) {
  const auto [file, bytes] = open_regular(path);
  file_.reset(file);
  constexpr std::uint64_t most_to_one = 1032;
  const bool is_plain = ::gzdirect(file) != 0;
  most_bytes_ = is_plain ? bytes : bytes * most_to_one;
}

std::optional<std::string_view> TextFile::next() {
  std::size_t searched = begin_;
  for (;;) {
    const void* found = std::memchr(buffer_.data() + searched, '\n', end_ - searched);
    const auto* newline = static_cast<const char*>(found);
    if (newline == nullptr && !at_end_) {
      searched = end_ - begin_;  // fill() moves what is left to the front
      fill();
      continue;
    }
    if (newline == nullptr && begin_ == end_) return std::nullopt;
    ++line_;
    const std::size_t stop =
        newline != nullptr ? static_cast<std::size_t>(newline - buffer_.data()) : end_;
    std::string_view line(buffer_.data() + begin_, stop - begin_);
    begin_ = newline != nullptr ? stop + 1 : end_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }
}

void TextFile::fill() {
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (end_ == buffer_.size()) {
    ++line_;
    refuse("longer than " + std::to_string(longest_line_bytes) + " bytes: this is no text file");
  }
  const auto room = static_cast<unsigned>(buffer_.size() - end_);
  const int got = ::gzread(file_.get(), buffer_.data() + end_, room);
  if (got < 0) throw_read_error();
  end_ += static_cast<std::size_t>(got);
  at_end_ = static_cast<unsigned>(got) < room;
  if (!at_end_) return;
  int code = Z_OK;
  ::gzerror(file_.get(), &code);
  if (code != Z_OK && code != Z_STREAM_END) throw_read_error();
}

void TextFile::throw_read_error() const {
  const int system_error = errno;
  int code = Z_OK;
  const char* why = ::gzerror(file_.get(), &code);
  if (code == Z_ERRNO) throw_errno(system_error, "read " + path_.string());
  if (code == Z_MEM_ERROR) throw std::bad_alloc();
  Error error(Errc::bad_data, path_.string() + " is a damaged gzip file: " +
                                  (code == Z_BUF_ERROR ? "it ends too early" : why));
  error.mark_agreed();
  throw error;
}

void TextFile::refuse(const std::string& why) const {
  Error error(Errc::bad_data, path_.string() + ", line " +
                                  std::to_string(std::max<std::uint64_t>(line_, 1)) + ": " + why);
  error.mark_agreed();
  throw error;
}

}  // namespace cairn::cg
