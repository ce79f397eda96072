/// Restart selection: the newest epoch that all ranks, minus what redundancy covers, can provide.
///
///     rank 0 reads {4, 6}, rank 1 reads {4, 5}  →  4
///
/// A minimum of maxima would say 5, which rank 0 has not; a maximum 6, which rank 1 has not. What
/// is combined are sets:
///
///     1. one reduction of bitmaps: a window of 64 epochs for all ranks without redundancy
///     together,
///        and one for each rank of a redundancy set
///     2. one reduction of {digest, not digest}: do all mean the same epoch by that number?
///
/// Source: the rule of quorum-free agreement on sets is old; what goes wrong without it is in the
/// README of this module.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "cairn/collectives/communicator.hpp"

namespace cairn::consensus {

/// An epoch that a rank has read *and verified*, as far as it is its business.
struct ReadableEpoch {
  std::uint64_t incarnation = 0;
  std::uint64_t epoch = 0;   ///< from 1
  std::uint64_t digest = 0;  ///< of its record: equal on all ranks that have the same epoch

  bool operator==(const ReadableEpoch&) const = default;
};

/// Ranks that keep redundancy for each other.
struct CoveringSet {
  enum class Rule : std::uint8_t {
    losses,   ///< any `losses` members may lack the epoch: 1 for XOR, m for Reed-Solomon
    partner,  ///< member i keeps a copy for member i - 1 (cyclic): no two neighbours may lack it
  };
  std::vector<int> members = {};
  Rule rule = Rule::losses;
  int losses = 0;
};

/// Whether the set can provide what `lacks` (one per member) say of it. Pure.
[[nodiscard]] bool covers(const CoveringSet& set, const std::vector<bool>& lacks);

/// Which of the newest 64 epochs a rank, or all of several ranks, can read: bit k stands for epoch
/// `newest` - k. Regular; combining is associative and commutative.
struct EpochWindow {
  enum class Kind : std::uint64_t {
    nobody,  ///< says nothing of anybody
    each,    ///< what each of some ranks can read
  };
  std::uint64_t newest = 0;
  std::uint64_t bits = 0;
  Kind kind = Kind::nobody;

  bool operator==(const EpochWindow&) const = default;
  [[nodiscard]] bool contains(std::uint64_t epoch) const;
};

/// The window of one rank. Epochs more than 63 below its newest are left out. Pure.
[[nodiscard]] EpochWindow window_of(std::span<const ReadableEpoch> readable);

/// What both sides can read, as far back as both windows reach. Pure.
[[nodiscard]] EpochWindow common(const EpochWindow& a, const EpochWindow& b);

/// What the first reduction gives: windows of all uncovered ranks together, then of each member of
/// each set, in order.
using SelectionWindows = std::vector<EpochWindow>;

/// The newest epoch that can be provided, of those that are not in `excluded`; nothing if there is
/// none. Pure, the same on every rank.
[[nodiscard]] std::optional<std::uint64_t> newest_restartable(
    const SelectionWindows& windows, std::span<const CoveringSet> sets,
    std::span<const std::uint64_t> excluded = {});

/// The newest epoch that can be provided and that is the same one everywhere. Equal on all ranks.
///
/// Collective, blocking. Epochs of one number but different incarnation or digest are none: the
/// next older number is taken. When a rank then finds a bad checksum while it reads, it takes the
/// epoch out of `mine` and all call again (restart_from() does that).
///
/// @param mine  of this rank; any order, at most one per number
/// @param sets  equal on all ranks, disjoint; ranks in none of them must have the epoch
/// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
/// @par Cost  2 reductions: of 24 bytes and 24 more per member of a set, and of 32 bytes; one of
/// the latter more for each number that means different epochs
[[nodiscard]] std::optional<ReadableEpoch> select_restart(const Communicator& comm,
                                                          std::span<const ReadableEpoch> mine,
                                                          std::span<const CoveringSet> sets);

/// Selects, and has every rank read, until an epoch is read whole: what a rank fails to read it
/// does not have, and the selection is repeated without it. Collective, blocking.
///
/// @param read  local; false for damage. Called on every rank, also on those that lack the epoch
/// and
///              rely on the others, with the choice; may be called again for the same epoch, when
///              another member's failure is covered
/// @return what was read whole; nothing when no epoch is left
/// @par Cost  as select_restart(), one reduction of an int per attempt, and another one when it
/// fails
[[nodiscard]] std::optional<ReadableEpoch> restart_from(
    const Communicator& comm, std::vector<ReadableEpoch> mine, std::span<const CoveringSet> sets,
    const std::function<bool(const ReadableEpoch&)>& read);

}  // namespace cairn::consensus
