/// How the ranks of a node write into the memory that they share: chosen by time, and again when
/// they have been moved to other cores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "node_group.hpp"

namespace cairn::detail {

/// When to look where the ranks of a node run now, and whether that is elsewhere: a pure value.
///
/// What takes its time from the distance of the cores alone tells it: a hop, the time of a barrier.
/// Looks that tell nothing, and choices that only confirm the last one, double the bytes until the
/// next look.
class StoreWatch {
 public:
  static constexpr std::size_t least_interval = std::size_t{32} << 20;
  static constexpr std::size_t most_interval = std::size_t{1} << 30;
  /// Barriers of two ranks take 40 to 60 ns where their cores share a cache, and 190 to 290 ns
  /// where they do not (Zen 4).
  static constexpr double factor = 1.8;
  /// In seconds. What takes longer is no distance: a rank waits for its core.
  static constexpr double longest_hop = 20e-6;

  /// Counts a call of so many bytes. Whether it is time to look.
  [[nodiscard]] bool is_due(std::size_t bytes) noexcept;

  /// What a look has found. Whether to choose anew: the ranks have moved, or it was not known where
  /// they were.
  [[nodiscard]] bool has_moved(double hop) noexcept;

  /// A choice was made where a hop takes `hop` seconds.
  void chosen(NodeGroup::Stores stores, double hop) noexcept;

 private:
  void was_in_vain() noexcept;

  std::size_t interval_ = 0;  // bytes from look to look; 0: nothing has been chosen
  std::size_t bytes_ = 0;     // since the last one
  NodeGroup::Stores stores_ = NodeGroup::Stores::cached;
  double hop_ = 0.0;  // at the last choice; 0: not known
};

/// Chooses the stores of a group. All ranks of the node call the same functions in the same order,
/// between calls of the group; what is chosen is the same on all of them. Ranks that are alone, or
/// more than their cores, never look.
///
/// @par Cost  of a choice 1 to 3 ms, of a look some 10 µs, once in 32 MiB or less often; where
/// strangers share the cores, some of their time slices for each look. No allocation.
class StoreChoice {
 public:
  /// In seconds; called by all ranks, the value of rank 0 counts.
  using Hop = std::function<double()>;

  /// @param group  borrowed
  /// @param hop  in tests: in place of what is measured
  explicit StoreChoice(NodeGroup& group, Hop hop = {});

  /// Takes the way of writing with which an all_reduce of middle size through the slots is faster.
  void choose();

  /// Before a call of `bytes` bytes, equal on all ranks: looks now and then whether the choice is
  /// one for other cores, and makes it again.
  void keep_right(std::size_t bytes);

  [[nodiscard]] NodeGroup::Stores stores() const noexcept { return stores_; }
  [[nodiscard]] std::uint64_t looks() const noexcept { return looks_; }
  [[nodiscard]] std::uint64_t choices() const noexcept { return choices_; }

 private:
  void all_reduce();
  [[nodiscard]] double seconds_of_call();
  [[nodiscard]] double hop();
  [[nodiscard]] double measured_hop();

  NodeGroup* group_;
  Hop hop_of_rank_;
  StoreWatch watch_;
  NodeGroup::Stores stores_ = NodeGroup::Stores::cached;
  std::uint64_t looks_ = 0;
  std::uint64_t choices_ = 0;
  std::vector<double> values_;  // a message of middle size
};

}  // namespace cairn::detail
