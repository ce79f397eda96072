/// How the ranks of a node write into the memory that they share: chosen by time, and again when
/// they have been moved to other cores.
#pragma once

#include <cstddef>
#include <vector>

#include "node_group.hpp"

namespace cairn::detail {

/// When to look where the ranks of a node run now, and whether that is elsewhere: a pure value.
///
/// What takes its time from the distance of the cores alone tells it: a hop, the time of a barrier.
/// A choice that only confirms the last one was made in vain, and doubles the bytes until the next
/// look.
class StoreWatch {
 public:
  static constexpr std::size_t least_interval = std::size_t{32} << 20;
  static constexpr std::size_t most_interval = std::size_t{1} << 30;
  /// Barriers of two ranks take 40 to 60 ns where their cores share a cache, and 190 to 290 ns
  /// where they do not (Zen 4).
  static constexpr double factor = 1.8;

  /// Counts a call of so many bytes. Whether it is time to look.
  [[nodiscard]] bool is_due(std::size_t bytes) noexcept;

  [[nodiscard]] bool has_moved(double hop) const noexcept {
    return hop > factor * hop_ || hop * factor < hop_;
  }

  /// A choice was made where a hop takes `hop` seconds.
  void chosen(NodeGroup::Stores stores, double hop) noexcept;

 private:
  std::size_t interval_ = 0;  // bytes from look to look; 0: nothing has been chosen
  std::size_t bytes_ = 0;     // since the last one
  NodeGroup::Stores stores_ = NodeGroup::Stores::cached;
  double hop_ = 0.0;
};

/// Chooses the stores of a group. All ranks of the node call the same functions in the same order,
/// between calls of the group; what is chosen is the same on all of them.
///
/// @par Cost  of a choice 1 to 3 ms; of a look some 10 µs, once in 32 MiB or more. No allocation.
class StoreChoice {
 public:
  /// @param group  borrowed
  explicit StoreChoice(NodeGroup& group);

  /// Takes the way of writing with which an all_reduce of middle size is faster.
  void choose();

  /// Before a call of `bytes` bytes, equal on all ranks: looks now and then whether the choice is
  /// one for other cores, and makes it again.
  void keep_right(std::size_t bytes);

  [[nodiscard]] NodeGroup::Stores stores() const noexcept { return stores_; }

 private:
  void all_reduce();
  [[nodiscard]] double seconds_of_call();
  [[nodiscard]] double hop();

  NodeGroup* group_;
  StoreWatch watch_;
  NodeGroup::Stores stores_ = NodeGroup::Stores::cached;
  std::vector<double> values_;  // a message of middle size
};

}  // namespace cairn::detail
