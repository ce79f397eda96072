/// The lines of a text file, packed by gzip or not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct gzFile_s;

namespace cairn::cg {

/// A text file, line by line; a gzip file (known by its first bytes, not by its name) as the text
/// that it holds. Local.
class TextFile {
 public:
  /// No line may be longer: what has such lines is something else than text.
  static constexpr std::size_t longest_line_bytes = std::size_t{1} << 20;

  /// @throws Error{no_input, permission, input_output}; usage for what is no regular file, and
  /// could not be read twice
  explicit TextFile(const std::filesystem::path& path);

  /// The next line without its end (LF or CR LF), valid until the next call; nothing behind the
  /// last one.
  /// @throws Error{input_output}; bad_data for a damaged gzip file, or a line that is too long
  std::optional<std::string_view> next();

  /// The text has no more bytes than this: those of the file, times 1032 if it is a gzip file,
  /// which deflate cannot exceed. https://zlib.net/zlib_tech.html
  [[nodiscard]] std::uint64_t most_bytes() const noexcept { return most_bytes_; }

  /// Throws the Error{bad_data} "FILE, line N: why", with N the number of the last line that next()
  /// gave. It is marked as agreed: every rank reads the same bytes, and finds the same.
  [[noreturn]] void refuse(const std::string& why) const;

 private:
  struct Close {
    void operator()(gzFile_s* file) const noexcept;
  };
  void fill();
  [[noreturn]] void throw_read_error() const;

  std::filesystem::path path_;
  std::unique_ptr<gzFile_s, Close> file_;
  std::uint64_t most_bytes_ = 0;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // what is read and not yet given
  std::size_t end_ = 0;
  bool at_end_ = false;
  std::uint64_t line_ = 0;
};

}  // namespace cairn::cg
