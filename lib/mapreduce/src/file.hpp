// An open file, for reading. Private to the module.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace cairn::mapreduce {

/// Owns a descriptor. Every error is an Error that names the path.
class File {
 public:
  /// Does not block on pipes and devices. `extra_flags` are open(2)'s.
  explicit File(const std::string& path, int extra_flags = 0);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  /// Its size now.
  [[nodiscard]] std::uint64_t size() const;

  /// Whether it is a regular file.
  [[nodiscard]] bool is_regular() const;

  /// Fills `buffer` from `offset` on as far as one read goes; 0 at the end of the file.
  std::size_t read_at(std::span<char> buffer, std::uint64_t offset);

 private:
  std::string path_;
  int descriptor_;
};

}  // namespace cairn::mapreduce
