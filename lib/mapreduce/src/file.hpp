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
  /// Does not wait for anybody should the file have become a pipe or a device.
  explicit File(const std::string& path);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  /// Its size now.
  [[nodiscard]] std::uint64_t size() const;

  /// Fills `buffer` from `offset` on as far as one read goes; 0 at the end of the file.
  std::size_t read_at(std::span<char> buffer, std::uint64_t offset);

 private:
  std::string path_;
  int descriptor_;
};

}  // namespace cairn::mapreduce
