/// What moving objects to other ranks costs, and what it brings: the terms of repartition.hpp and
/// diffusion.hpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cairn::loadbalance {

/// Moving is worth it when what it saves until the next time exceeds what it takes. Equal on all
/// ranks.
struct MovingCost {
  double steps = 100;                   ///< until the next repartition, each of which gains
  double seconds_per_weight = 1e-9;     ///< of a step; as it is for weights in nanoseconds
  double seconds_per_byte = 1e-9;       ///< that a rank sends or receives; Migration measures it
  std::uint64_t bytes_per_object = 64;  ///< with all that goes with it

  /// @throws Error{Errc::usage} for what is negative or no number
  void check() const;
};

/// What a repartition does. Equal on all ranks, to the bit.
struct BalanceChange {
  int ranks = 1;
  std::int64_t total = 0;           ///< weight of all objects
  std::int64_t largest_before = 0;  ///< load of a rank
  std::int64_t largest_after = 0;
  std::uint64_t moved_objects = 0;
  std::uint64_t moved_bytes = 0;
  std::uint64_t busiest_bytes = 0;  ///< that one rank sends and receives: what the others wait for
  double gain_seconds = 0;          ///< of the largest load, over all steps
  double cost_seconds = 0;

  [[nodiscard]] bool moves() const noexcept { return moved_objects > 0; }
  /// Largest load over mean load; 1 when nobody has anything to do.
  [[nodiscard]] double imbalance_before() const noexcept { return imbalance(largest_before); }
  [[nodiscard]] double imbalance_after() const noexcept { return imbalance(largest_after); }

 private:
  [[nodiscard]] double imbalance(std::int64_t largest) const noexcept {
    return total > 0 ? static_cast<double>(largest) * ranks / static_cast<double>(total) : 1.0;
  }
};

/// Objects in the order of the curve that each rank has: those of rank r are starts[r] …
/// starts[r + 1] - 1. One more than ranks; the first is 0, the last the number of all objects.
using Ranges = std::vector<std::int64_t>;

/// A new distribution, of which each rank knows what concerns it.
struct Repartition {
  BalanceChange change;           ///< what this does: nothing when it is not worth it
  std::vector<int> destinations;  ///< the rank of each object of this rank, for migrate()
};

namespace detail {

/// The sum of a rank's weights.
/// @throws Error{Errc::usage} for a negative weight, or a sum that reaches 2^62 / ranks
std::int64_t checked_sum(std::span<const std::int64_t> weights, int ranks);

/// Fills in what follows from the loads and from what each rank sends and receives, in objects.
BalanceChange weigh(BalanceChange change, std::span<const std::int64_t> sent,
                    std::span<const std::int64_t> received, const MovingCost& cost);

}  // namespace detail

}  // namespace cairn::loadbalance
