/// The exit code that a program leaves behind for `cairn run`.
#pragma once

#include <filesystem>
#include <optional>

namespace cairn::tool {

/// A file for CAIRN_VERDICT, in a folder of its own that nobody else can write to; both go with
/// this object. Where no folder can be made there is none: the verdict is a hint.
class VerdictFile {
 public:
  VerdictFile();
  ~VerdictFile();
  VerdictFile(const VerdictFile&) = delete;
  VerdictFile& operator=(const VerdictFile&) = delete;

  /// Empty for none.
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  /// The code that stands there, and no more afterwards.
  [[nodiscard]] std::optional<int> take() const;

 private:
  std::filesystem::path path_;
};

}  // namespace cairn::tool
