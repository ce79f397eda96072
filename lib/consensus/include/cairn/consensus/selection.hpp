/// Restart selection: the newest epoch that what all ranks have makes whole.
///
///     rank 0 reads {4, 6}, rank 1 reads {4, 5}  →  4
///
/// A minimum of maxima would say 5, which rank 0 has not; a maximum 6, which rank 1 has not. What
/// is combined are sets. An epoch has *places* that are to be filled, such as the part of each rank
/// that saved it and what redundancy keeps of the parts; a rank offers what it has of them:
///
///     1. one reduction of bitmaps: for each place the newest 64 epochs in which somebody fills it
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

/// What a rank has of an epoch.
struct OfferedEpoch {
  ReadableEpoch epoch;
  std::vector<int> places = {};  ///< that it fills, from 0; several ranks may fill one

  bool operator==(const OfferedEpoch&) const = default;
};

/// Whether the epoch is whole when these of its places are filled: all of them, or so many that
/// redundancy gives the others. Called with one flag for each place that any epoch has. Pure, equal
/// on all ranks.
using IsWhole = std::function<bool(std::uint64_t epoch, const std::vector<bool>& filled)>;

/// In which of the newest 64 epochs something is there: bit k stands for epoch `newest` - k.
/// Regular; combining is associative and commutative.
struct EpochWindow {
  std::uint64_t newest = 0;
  std::uint64_t bits = 0;

  bool operator==(const EpochWindow&) const = default;
  [[nodiscard]] bool contains(std::uint64_t epoch) const;
};

/// The window of these epochs. Those more than 63 below the newest are left out. Pure.
[[nodiscard]] EpochWindow window_of(std::span<const std::uint64_t> epochs);

/// What either has, as far back as 64 epochs reach. Pure.
[[nodiscard]] EpochWindow either(const EpochWindow& a, const EpochWindow& b);

/// What the first reduction gives: one window for each place.
using SelectionWindows = std::vector<EpochWindow>;

/// The oldest epoch that all windows reach back to, those which are shorter having nothing below.
/// Pure.
[[nodiscard]] std::uint64_t oldest_seen(const SelectionWindows& windows);

/// The newest epoch that is whole, of those from oldest_seen() on that are not in `excluded`;
/// nothing if there is none. Pure, the same on every rank.
[[nodiscard]] std::optional<std::uint64_t> newest_restartable(
    const SelectionWindows& windows, const IsWhole& is_whole,
    std::span<const std::uint64_t> excluded = {});

/// The newest epoch that is whole, and that is the same one everywhere. Equal on all ranks.
///
/// Collective, blocking. An offer without places says nothing. Epochs of one number but different
/// incarnation or digest are none: the next older number is taken. When a rank then finds a bad
/// checksum while it reads, it takes the place out of `mine` and all call again (restart_from()
/// does that).
///
/// @param mine    of this rank; any order, at most one per number
/// @param places  equal on all ranks, above all numbers of places
/// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
/// @par Cost  2 reductions: of 16 bytes a place, and of 32 bytes. One of the latter more for each
/// number that means different epochs, one of the former for each 64 numbers of which none is whole
[[nodiscard]] std::optional<ReadableEpoch> select_restart(const Communicator& comm,
                                                          std::span<const OfferedEpoch> mine,
                                                          int places, const IsWhole& is_whole);

/// Selects, and has every rank read, until an epoch is read whole: what a rank fails to read it
/// does not have, and the selection is repeated without it. Collective, blocking.
///
/// @param read  false for damage, on the ranks that see it. Called on every rank, also on those
///              that rely on the others, with the choice and this rank's places in it, out of which
///              it takes those that turn out damaged; is called again for the same epoch when
///              redundancy covers that. When no rank has taken out any, all give the epoch up
/// @return what was read whole; nothing when no epoch is left
/// @par Cost  as select_restart(), one reduction of an int per attempt, and another one when it
/// fails
[[nodiscard]] std::optional<ReadableEpoch> restart_from(
    const Communicator& comm, std::vector<OfferedEpoch> mine, int places, const IsWhole& is_whole,
    const std::function<bool(const ReadableEpoch& choice, std::vector<int>& places)>& read);

}  // namespace cairn::consensus
