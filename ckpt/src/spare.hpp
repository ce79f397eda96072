/// The spare: the data file of a retired epoch, kept so that the next epoch is written over it.
#pragma once

#include <cstdint>
#include <filesystem>

#include "data_file.hpp"

namespace cairn::ckpt {

/// Writing over blocks that a file already has takes about half the time of writing a new file:
/// nothing is allocated, and fdatasync has no metadata to write. The spare is under a name that
/// nobody trusts, and became one only after its record had been removed durably.
///
/// All functions are local, and for the rank that holds the directory's lock.
class Spare {
 public:
  static constexpr const char* file_name = "spare.h5";

  explicit Spare(const std::filesystem::path& directory);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  /// Keeps the data file of an epoch whose record is gone, in place of a former spare.
  /// @throws Error when it cannot be renamed
  void keep(const std::filesystem::path& retired, std::uint64_t epoch);

  /// The epoch whose data the spare holds, or, behind take_place_of(), held; 0 when nobody knows,
  /// as at the begin of a launch.
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }

  /// Puts the spare in the place of `path`, which create_data_file() has just made: with its
  /// structure, its size and unspecified data, in blocks that exist already. A spare that has a
  /// second name (a hard link is somebody's copy), or that another process has open, is only
  /// removed from the directory: to write over it would change what they hold.
  /// @return false when there is no such spare; `path` is then as it was
  /// @throws Error{input_output, …}, also when the disk is too full for a larger epoch
  bool take_place_of(const std::filesystem::path& path, const DataFileLayout& layout);

  void remove() const noexcept;

 private:
  std::filesystem::path path_;
  std::uint64_t epoch_ = 0;
  std::uint64_t device_ = 0;  ///< of the file that was kept
  std::uint64_t inode_ = 0;
};

}  // namespace cairn::ckpt
