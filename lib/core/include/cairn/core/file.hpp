/// Files whose every system call is checked. AtomicFile (atomic_file.hpp) replaces a file as a
/// whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace cairn {

/// Owns a file descriptor. All functions are local and throw Error with the path in the message.
class File {
 public:
  /// open(2) with O_CLOEXEC added; a file that is made gets `mode` under the umask.
  File(const std::filesystem::path& path, int flags, unsigned mode = 0666);
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&&) = delete;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::uint64_t size_bytes() const;

  /// Writes all bytes at the file's position, or at `offset_bytes`.
  void write(std::span<const std::byte> bytes);
  void write_at(std::span<const std::byte> bytes, std::uint64_t offset_bytes);

  /// Fills `bytes` from `offset_bytes`; a file that ends before is Error{bad_data}.
  void read_at(std::span<std::byte> bytes, std::uint64_t offset_bytes) const;

  /// Reserves the blocks of [0, size_bytes), so that a full disk shows now; does nothing where
  /// unsupported.
  void reserve(std::uint64_t size_bytes);

  /// Makes the file so long: cut off, or with zeros added.
  void resize(std::uint64_t size_bytes);

  /// fdatasync: the bytes, and what is needed to find them, are on the device.
  void sync();

  /// Closes, and reports what close(2) says; the destructor closes silently.
  void close();

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// Writes all `bytes` to the open file `descriptor`, however often write(2) stops short. Local.
/// @param name  what it is, for the message
void write_fully(int descriptor, std::span<const std::byte> bytes, std::string_view name);

/// Makes the names in `directory` durable: fsync of the directory itself.
void sync_directory(const std::filesystem::path& directory);

/// Makes a directory, and durable that it is there: its parent is synced, also when the directory
/// was there before, since who has made it may have died in between. Parents that are missing are
/// made and synced likewise, with the mode that the umask leaves. Local.
/// @param mode  of the directory alone, under the umask; nothing changes that of one that exists
/// @param kind  what it is, for the message
/// @throws Error{Errc::no_input} where something else has this name or one above it; permission,
///         input_output
void make_directory(const std::filesystem::path& path, unsigned mode = 0777,
                    std::string_view kind = "directory");

/// rename(2).
void rename_file(const std::filesystem::path& from, const std::filesystem::path& to);

/// unlink(2). That there is none is no error. Local.
/// @throws Error{Errc::permission, input_output, …}
void remove_file(const std::filesystem::path& path);

/// Where a file of this name stands or would be made: links are followed, also to what is not there
/// yet. Empty if it cannot be found out. Local.
[[nodiscard]] std::filesystem::path place_of(std::filesystem::path file);

/// The open descriptor that `path` is another name of: /dev/stdout, /dev/fd/3, links to them; also
/// the file that standard output or standard error goes to. -1 for any other file, and where it is
/// open for reading alone. Local.
[[nodiscard]] int open_descriptor(const std::filesystem::path& path);

/// Whether anything has this name; links are not followed. Local.
/// @throws Error{Errc::permission, input_output, …} where that cannot be told
[[nodiscard]] bool is_there(const std::filesystem::path& path);

/// The whole file as a string. Local.
[[nodiscard]] std::string read_file(const std::filesystem::path& path);

}  // namespace cairn
