/// The directory of epochs: names, order of publication, retention. One rank works on it, alone
/// under a lock.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cairn/consensus/fence.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/file.hpp"
#include "cairn/core/private_files.hpp"
#include "record.hpp"
#include "spare.hpp"

namespace cairn::ckpt {

/// A record file that was found in the directory.
struct FoundEpoch {
  std::uint64_t epoch = 0;
  std::string text;            ///< the record, digest checked; empty when there is a problem
  std::string problem;         ///< why the record is no good; empty when it is
  Errc code = Errc::bad_data;  ///< of the problem
  bool is_void = false;        ///< the problem: its launch had lost the directory to another one
  std::uint64_t incarnation = 0;
};

/// Whose work in the directory is to come, and how long to wait for others.
struct Access {
  consensus::Claimant::Kind kind = consensus::Claimant::Kind::tool;
  double patience_seconds = 0;
  double stale_seconds = 30;
  double heartbeat_seconds = 5;
  std::vector<std::string> nodes = {};
};

/// A file of the directory that has a name of this store's.
struct EpochFile {
  enum class Kind { data, record };
  std::filesystem::path path;
  std::uint64_t epoch = 0;
  Kind kind = Kind::data;
  bool is_temporary = false;
};

/// All functions are local and throw Error.
class EpochStore {
 public:
  /// Makes the directory if needed, locks it against other running jobs, and claims the next
  /// incarnation (cairn/consensus/fence.hpp), which holds also where locks do not reach.
  /// @throws Error{Errc::unavailable} when another job uses the directory for longer than the
  /// patience
  EpochStore(const std::filesystem::path& directory, const Access& access);

  /// For functions that only look: makes nothing, takes no lock, so that a job may be working in
  /// the directory meanwhile.
  [[nodiscard]] static EpochStore reader(const std::filesystem::path& directory);

  /// Whether this store could have given a file of its own that name, in whatever directory.
  [[nodiscard]] static bool is_own_name(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }
  [[nodiscard]] std::filesystem::path data_path(std::uint64_t epoch) const;
  /// The name that the data of this epoch do not have: `epoch-N.h5` or, of rekeyed ones,
  /// `epoch-N.rekeyed.h5`.
  [[nodiscard]] std::filesystem::path other_data_path(const EpochRecord& record) const;
  [[nodiscard]] std::filesystem::path temporary_data_path(std::uint64_t epoch) const;
  [[nodiscard]] std::filesystem::path record_path(std::uint64_t epoch) const;
  [[nodiscard]] std::filesystem::path temporary_record_path(std::uint64_t epoch) const;

  /// This store's incarnation; 0 for one that only looks.
  [[nodiscard]] std::uint64_t incarnation() const noexcept;
  /// What tells its claim from every other one, also where incarnations are equal; empty for one
  /// that only looks.
  [[nodiscard]] std::string nonce() const;

  /// Says which older epochs count: the good ones that were in the directory when it was claimed,
  /// and `elsewhere`. What an older launch has published since is void for everybody from now on.
  /// Before anything is published.
  void confirm(const std::vector<consensus::LastEpoch>& elsewhere);

  /// Whether the launch before this one had ended in order, so that it has no file open any more.
  [[nodiscard]] bool follows_in_order() const noexcept { return follows_in_order_; }

  /// @throws Error{Errc::unavailable} when another launch has taken over the directory
  void check_owner() const;

  /// Whether a record would be void by what the owners of the directory have confirmed.
  [[nodiscard]] bool is_void(const consensus::LastEpoch& record) const;

  /// Makes the temporary data file of an epoch, empty, which takes its number: a launch that takes
  /// over later chooses a higher one.
  /// @param from  the least number
  /// @return it, or a higher one where a former owner that lingers has just taken that
  /// @throws Error{Errc::unavailable} as check_owner()
  [[nodiscard]] std::uint64_t reserve(std::uint64_t from) const;

  /// Every record in the directory, newest epoch first.
  /// @throws Error{Errc::permission} for a record that may not be read, {usage} for one of a later
  /// format
  [[nodiscard]] std::vector<FoundEpoch> find() const;

  /// Every file with a name of this store's, by epoch.
  [[nodiscard]] std::vector<EpochFile> files() const;

  /// The record of one epoch; what is wrong with it is a `problem`, never thrown.
  [[nodiscard]] FoundEpoch examine(std::uint64_t epoch) const;

  /// What is wrong with the data file of a good record, as far as its size tells; empty for
  /// nothing.
  [[nodiscard]] std::string data_problem(const EpochRecord& record) const;

  /// A number above that of any file in the directory.
  [[nodiscard]] std::uint64_t next_epoch() const;

  /// Removes what a killed launch left behind below this epoch: temporary files, and data files
  /// without a record. With a number that is reserved, nothing of a later launch's is among them.
  void remove_strays(std::uint64_t below) const;

  /// Turns the temporary data file of record.epoch, whose bytes are durable, into a committed
  /// epoch.
  /// @throws Error{Errc::unavailable} when another launch has taken over, before it or meanwhile
  void publish(const EpochRecord& record) const;

  /// Puts another record in the place of that of record.epoch, durably and at once.
  void replace_record(const EpochRecord& record) const;

  /// The epochs older than the newest `keep` good ones, and what a retirement that was cut short
  /// has left of such. Those in `damaged`, of which a restart has found out that they are not good,
  /// do not count.
  [[nodiscard]] std::vector<std::uint64_t> retirable(int keep,
                                                     const std::set<std::uint64_t>& damaged) const;

  /// Removes what is retirable(), but for one data file, which becomes the `spare` if one is given.
  void retire(int keep, const std::set<std::uint64_t>& damaged, Spare* spare = nullptr) const;

  /// Forgets an epoch that was not published.
  void discard(std::uint64_t epoch) const noexcept;

 private:
  EpochStore() = default;
  void write_temporary_record(const EpochRecord& record) const;
  [[nodiscard]] std::filesystem::path rekeyed_data_path(std::uint64_t epoch) const;
  [[nodiscard]] bool is_late(const consensus::LastEpoch& record) const;
  [[nodiscard]] bool is_orphan(const std::filesystem::path& data, std::uint64_t epoch) const;

  std::filesystem::path directory_;
  std::optional<File> lock_;  // made after the directory
  std::optional<consensus::Fence> fence_;
  bool follows_in_order_ = false;
  std::set<std::uint64_t> at_claim_;  ///< the epochs with a record when the claim had been made
  std::optional<consensus::Claim> confirmed_;  ///< what says which records are void
};

}  // namespace cairn::ckpt
