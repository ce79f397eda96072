/// The directory of epochs: names, order of publication, retention. One rank works on it, alone
/// under a lock.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cairn/core/file.hpp"
#include "record.hpp"

namespace cairn::ckpt {

/// A record file that was found in the directory.
struct FoundEpoch {
  std::uint64_t epoch = 0;
  std::string text;     ///< the record, digest checked; empty when there is a problem
  std::string problem;  ///< why the record is no good; empty when it is
};

/// All functions are local and throw Error.
class EpochStore {
 public:
  /// Makes the directory if needed and locks it against other running jobs.
  /// @throws Error{Errc::unavailable} when another process holds the lock for longer than the
  /// patience
  EpochStore(const std::filesystem::path& directory, double lock_patience_seconds);

  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }
  [[nodiscard]] std::filesystem::path data_path(std::uint64_t epoch) const;
  [[nodiscard]] std::filesystem::path temporary_data_path(std::uint64_t epoch) const;
  [[nodiscard]] std::filesystem::path record_path(std::uint64_t epoch) const;

  /// Every record in the directory, newest epoch first.
  /// @throws Error{Errc::permission} for a record that may not be read, {usage} for one of a later
  /// format
  [[nodiscard]] std::vector<FoundEpoch> find() const;

  /// A number above that of any file in the directory.
  [[nodiscard]] std::uint64_t next_epoch() const;

  /// Removes what a killed launch left behind: temporary files, and data files without a record.
  void remove_strays() const;

  /// Turns the temporary data file of record.epoch, whose bytes are durable, into a committed
  /// epoch.
  void publish(const EpochRecord& record) const;

  /// Removes every epoch older than the newest `keep` good ones. Those in `damaged`, of which a
  /// restart has found out that they are not, do not count.
  void retire(int keep, const std::set<std::uint64_t>& damaged) const;

  /// Forgets an epoch that was not published.
  void discard(std::uint64_t epoch) const noexcept;

 private:
  [[nodiscard]] bool has_data(const FoundEpoch& entry) const;

  std::filesystem::path directory_;
  std::optional<File> lock_;
};

}  // namespace cairn::ckpt
