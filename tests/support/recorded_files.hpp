/// What a program does to the files of one directory, and what a crash may leave of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace cairn::test {

/// One change, or a promise that changes are durable.
struct FileOperation {
  enum class Kind {
    create,          ///< `name` is a new, empty file
    write,           ///< `bytes` at `offset` of the file
    resize,          ///< the file has `offset` bytes
    sync_file,       ///< all before to the file is durable
    link,            ///< the file `name` has the name `to` as well
    rename,          ///< `name` becomes `to`
    unlink,          ///< `name` goes
    sync_directory,  ///< all creates, links, renames and unlinks before are durable
    mark,            ///< not an operation: the program has come so far, `offset` says where
  };
  Kind kind = Kind::mark;
  int file = -1;  ///< a number for each file there ever was, whatever its name
  std::uint64_t offset = 0;
  std::string name;
  std::string to;
  std::vector<std::byte> bytes;
};

/// Records all that this process does to the files of a directory, while it lives. It stands
/// between the program (with its libraries) and the C library: link recorded_files.cpp. One at a
/// time, one thread.
class FileRecorder {
 public:
  explicit FileRecorder(std::filesystem::path directory);
  FileRecorder(const FileRecorder&) = delete;
  FileRecorder& operator=(const FileRecorder&) = delete;
  ~FileRecorder();

  void mark(std::uint64_t number);
  [[nodiscard]] const std::vector<FileOperation>& operations() const;
};

/// What a crash spares of that which no sync had made durable before it.
enum class Crash {
  kill,        ///< all: the process dies, the machine does not
  power_cut,   ///< some writes, torn at 512 bytes; creates, renames and unlinks up to one of them
  any_subset,  ///< some writes, torn; any of the creates, renames and unlinks (POSIX promises no
               ///< more)
};

/// The files after a crash just before operation `cut`; `seed` chooses what is lost.
[[nodiscard]] std::map<std::string, std::vector<std::byte>> files_after(
    const std::vector<FileOperation>& operations, std::size_t cut, Crash crash, std::uint64_t seed);

/// Makes the directory hold these files and no others.
void write_files(const std::filesystem::path& directory,
                 const std::map<std::string, std::vector<std::byte>>& files);

}  // namespace cairn::test
