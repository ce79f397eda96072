/// The files of the local tier on one host: names, digests, removal. All functions are local and
/// throw Error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "cairn/consensus/claim.hpp"
#include "local_record.hpp"

namespace cairn::ckpt {

using LocalEpochId = consensus::LastEpoch;

/// A job's folder on this host. It need not exist.
class LocalFiles {
 public:
  LocalFiles() = default;
  explicit LocalFiles(std::filesystem::path directory) : directory_(std::move(directory)) {}

  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }
  // The incarnation is part of a name, so that a launch that has lost the job to another one, and
  // may choose the same number, touches nothing of the other's.
  [[nodiscard]] std::filesystem::path part_path(const LocalEpochId& epoch, int rank) const;
  [[nodiscard]] std::filesystem::path parity_path(const LocalEpochId& epoch, int set,
                                                  int member) const;
  [[nodiscard]] std::filesystem::path record_path(const LocalEpochId& epoch, int host) const;
  /// The name under which a file is written.
  [[nodiscard]] static std::filesystem::path temporary(std::filesystem::path path);

  /// Makes the folder, durably.
  void make_directory() const;

  /// The largest epoch that any file is named after; 0 for none.
  [[nodiscard]] std::uint64_t newest() const;

  /// The record files, of all hosts whose folder this is.
  [[nodiscard]] std::vector<std::filesystem::path> records() const;

  /// Removes what was being written when this launch, or one before it, was killed or failed.
  void remove_temporary(std::uint64_t incarnation) const;

  /// Removes all epochs before `oldest_kept`: records first, durably, then the rest.
  void retire(std::uint64_t oldest_kept) const;

  /// Removes, as far as possible, all files of an epoch.
  void discard(const LocalEpochId& epoch) const noexcept;

 private:
  std::filesystem::path directory_;
};

/// The digest of a file as it lies there.
[[nodiscard]] FileDigest digest_of_file(const std::filesystem::path& path);

enum class FileState { good, missing, damaged };
/// Whether the file is there, with as many bytes as it was written with.
[[nodiscard]] FileState look_at_file(const std::filesystem::path& path, const FileDigest& digest);
/// Whether the file is there, with the bytes that it was written with. Reads all of it.
[[nodiscard]] FileState check_file(const std::filesystem::path& path, const FileDigest& digest);

}  // namespace cairn::ckpt
