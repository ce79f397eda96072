/// The system calls of this process on the files of one directory: counted, and at a chosen one of
/// them a fault. Stands between the program (with its libraries) and the C library.
///
/// Linked into a test it is driven through FileCalls. Built as a library for LD_PRELOAD it is
/// driven by the environment, in the process with OMPI_COMM_WORLD_RANK = CAIRN_CALLS_RANK (all: any
/// rank):
///
///     CAIRN_CALLS_DIRECTORY  whose calls count
///     CAIRN_CALLS_ACTION     log | kill | forget_sync (fsync and fdatasync do nothing, and say
///     that
///                            they did)
///     CAIRN_CALLS_AT         kill: before call number so and so, counted from 0
///     CAIRN_CALLS_LOG        log: a file, to which ".RANK" is added; a line for each call
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace cairn::test {

/// One call: "rename", and what it was called on, without the directory.
struct FileCall {
  std::string function;
  std::string name;
};

/// Counts the calls while it lives; one at a time. Any thread's calls count, but for those on
/// heartbeats (`.beat`), which come when they like.
class FileCalls {
 public:
  explicit FileCalls(const std::filesystem::path& directory);
  FileCalls(const FileCalls&) = delete;
  FileCalls& operator=(const FileCalls&) = delete;
  ~FileCalls();

  /// Call number `at`, counted from here, fails with this errno and does nothing.
  void fail(std::size_t at, int error_number);

  /// This process is killed before call number `at`, counted from here.
  void kill(std::size_t at);

  /// No call fails any more.
  void disarm();

  /// The calls since the construction or the last fail().
  [[nodiscard]] std::vector<FileCall> calls() const;
};

}  // namespace cairn::test
