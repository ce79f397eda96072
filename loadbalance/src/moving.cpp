#include "cairn/loadbalance/moving.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <string>

#include "cairn/core/error.hpp"

namespace cairn::loadbalance {

void MovingCost::check() const {
  for (const double x : {steps, seconds_per_weight, seconds_per_byte})
    if (!std::isfinite(x) || x < 0)
      throw Error(Errc::usage, "a moving cost has " + std::to_string(x) + ": it must be 0 or more");
}

namespace detail {

std::int64_t checked_sum(std::span<const std::int64_t> weights, int ranks) {
  const std::int64_t bound = (std::int64_t{1} << 62) / ranks;
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] < 0)
      throw Error(Errc::usage, "weight " + std::to_string(i) + " is " + std::to_string(weights[i]) +
                                   ": it must be 0 or more");
    if (weights[i] >= bound - sum)
      throw Error(Errc::usage, "weights of 2^62 / " + std::to_string(ranks) +
                                   " and more together: take a larger unit");
    sum += weights[i];
  }
  return sum;
}

BalanceChange weigh(BalanceChange change, std::span<const std::int64_t> sent,
                    std::span<const std::int64_t> received, const MovingCost& cost) {
  std::int64_t busiest = 0;
  for (std::size_t r = 0; r < sent.size(); ++r) busiest = std::max(busiest, sent[r] + received[r]);
  change.moved_objects =
      static_cast<std::uint64_t>(std::accumulate(sent.begin(), sent.end(), std::int64_t{0}));
  change.moved_bytes = change.moved_objects * cost.bytes_per_object;
  change.busiest_bytes = static_cast<std::uint64_t>(busiest) * cost.bytes_per_object;
  const std::int64_t gain = change.largest_before - change.largest_after;
  change.gain_seconds = static_cast<double>(gain) * cost.seconds_per_weight * cost.steps;
  change.cost_seconds = static_cast<double>(change.busiest_bytes) * cost.seconds_per_byte;
  return change;
}

}  // namespace detail

}  // namespace cairn::loadbalance
