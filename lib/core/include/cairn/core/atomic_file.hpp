/// AtomicFile: a reader sees the old file or the complete new one, never a part of it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace cairn {

/// Whose a file is that is made.
enum class FileAccess {
  by_umask,
  owner,  ///< mode 0600, whatever the umask; links are not followed, and pipes are refused
};

/// A file that appears under its name when commit() returns, and not before.
///
/// Bytes go into a temporary file in the same folder; commit() writes it through to the disk,
/// renames it and writes the folder through. Without commit() the temporary file is removed. A
/// symbolic link is followed: the file that it points to is made or replaced. One that is replaced
/// keeps its mode. A target that exists and is no regular file (a pipe, /dev/null) is written
/// directly; so is what this process has open where it is named as such (/dev/stdout, /dev/fd/3),
/// and the file that it prints to. With FileAccess::owner links and such targets are refused.
/// Local, one owner, not copyable.
///
/// A killed process leaves its temporary file behind, ".cairn-HOST-PID-N.tmp". The next AtomicFile
/// that is made in the folder on the same host removes it, when nobody holds its lock any more:
/// a process number alone would prove nothing where containers share the folder. Where the file
/// system has no locks, temporary files of killed processes stay.
class AtomicFile {
 public:
  /// @throws Error{usage} when `path` is a folder; bad_data when the file would be its owner's and
  ///         no regular one is there; no_input, permission, input_output when no file can be made
  ///         there
  explicit AtomicFile(const std::filesystem::path& path, FileAccess access = FileAccess::by_umask);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Where the bytes stand until commit(), for other processes that write them, too. Empty where
  /// the target is written directly.
  [[nodiscard]] const std::filesystem::path& temporary() const noexcept { return temporary_; }

  /// @throws Error{input_output}, for a full disk with what to do
  void write(std::string_view bytes);

  /// The file is complete. Durable when it returns.
  /// @throws Error{input_output}; the target is then what it was before
  void commit();

 private:
  void open_temporary(unsigned mode);

  std::filesystem::path target_;
  std::filesystem::path temporary_;  // empty: written directly, or committed
  int descriptor_ = -1;
  std::optional<unsigned> mode_ = {};  // of the file that is replaced
  int lock_ = -1;  // the same open file once more: keeps it locked until it has its name
};

/// Of a file that is not written from front to back, and thus fits nowhere else. Local.
/// @throws Error{usage} when `path` leads to something that is no regular file, or to what this
/// process prints to
void expect_replaceable(const std::filesystem::path& path);

/// Replaces `path` by `text` through an AtomicFile. Local.
void write_file_atomically(const std::filesystem::path& path, std::string_view text,
                           FileAccess access = FileAccess::by_umask);

}  // namespace cairn
