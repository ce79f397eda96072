/// The writing of a journal's files by a thread of its own, so that nobody waits for a disk.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "cairn/core/file.hpp"
#include "journal_format.hpp"

namespace cairn::consensus::journal {

/// What is to be written: first the appended bytes, then, when they are durable, the record.
struct Write {
  Bytes appended = {};
  std::optional<Bytes> record = {};
  PersistToken token = 0;  ///< of the record
};

/// Writes complete in order. Thread-safe against its own thread alone.
class Disk {
 public:
  /// @param slots  none: this node keeps a copy and promises nothing
  Disk(const std::filesystem::path& log, std::optional<SlotFile> slots);
  /// Finishes what was begun.
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  /// @throws Error{Errc::internal} for a record where there are no slots
  void begin(Write write);
  /// Token of the newest record that is durable.
  [[nodiscard]] PersistToken durable() const;
  /// Writes that have not completed.
  [[nodiscard]] std::size_t under_way() const;
  /// Writes that have completed.
  [[nodiscard]] std::uint64_t completed() const;
  /// Empty while all is well. Afterwards nothing is written any more.
  [[nodiscard]] std::string failure() const;

 private:
  void run();
  void perform(const Write& write);

  File log_;
  std::optional<SlotFile> slots_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::deque<Write> queue_;  // the front is being written
  PersistToken durable_ = 0;
  std::uint64_t completed_ = 0;
  std::string failure_;
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace cairn::consensus::journal
