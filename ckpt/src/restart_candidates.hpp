/// The epochs among which a restart selects, of both tiers, and what this rank brings of each.
///
/// An epoch of the shared directory has one place, which rank 0 fills when the record verifies and
/// the data file has its size. One of the nodes has a place for each of its files, filled by the
/// rank that looks after such a file; which of them may be missing is the redundancy's business.
/// What is damaged inside comes out while the chosen epoch is read, and then is offered no more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/consensus/selection.hpp"
#include "local_epochs.hpp"
#include "record.hpp"

namespace cairn::ckpt {

/// Equal on all ranks, but for what says otherwise.
struct RestartCandidate {
  consensus::ReadableEpoch id = {};
  std::string text = {};  ///< the record, of the shared directory; rank 0, until it is admitted
  /// Why it is no good; until it is admitted, on rank 0 alone if it is shared.
  std::string problem = {};
  std::optional<EpochRecord> record = {};  ///< once it is admitted
  bool is_admitted = false;                ///< it has been looked at, whatever came out
  bool is_passed_over = false;

  // Of the nodes.
  std::optional<LocalCandidate> local = {};
  std::optional<LocalRecord> local_record = {};
  bool is_own = false;                    ///< this rank's
  std::vector<OwnFile> files = {};        ///< this rank's
  std::optional<Holdings> holdings = {};  ///< when the files have been verified
};

/// The first 16 of a digest's 32 hexadecimal digits: enough to tell epochs of one number apart.
[[nodiscard]] std::uint64_t short_digest(std::string_view digits);

/// More than the numbers of all places.
[[nodiscard]] int places_of(const std::vector<RestartCandidate>& candidates);

/// What this rank has, one offer a number. Of a number that several records have, only what is of
/// the record that this host has itself.
[[nodiscard]] std::vector<consensus::OfferedEpoch> offers_of(
    const std::vector<RestartCandidate>& candidates, bool is_root);

/// Whether these places make one of the epochs with that number whole.
[[nodiscard]] bool is_whole(const std::vector<RestartCandidate>& candidates, std::uint64_t epoch,
                            const std::vector<bool>& filled);

}  // namespace cairn::ckpt
