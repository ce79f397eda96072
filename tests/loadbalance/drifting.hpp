/// Weights, ranges and their loads, for the tests of what moves.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cairn/core/random.hpp"
#include "cairn/loadbalance/moving.hpp"

namespace cairn::loadbalance::test {

/// Below `bound`; a third is 0, and now and then one outweighs all others.
inline std::vector<std::int64_t> random_weights(std::uint64_t seed, std::size_t count,
                                                std::uint64_t bound) {
  const Random random(seed, 91);
  std::vector<std::int64_t> weights(count);
  for (std::size_t i = 0; i < count; ++i) {
    weights[i] =
        random.below(2 * i, 3) == 0 ? 0 : static_cast<std::int64_t>(random.below(2 * i + 1, bound));
  }
  if (count > 0 && seed % 5 == 0)
    weights[random.below(2 * count, count)] = static_cast<std::int64_t>(bound * (1 + seed % 1000));
  return weights;
}

/// Any ranges, some of them empty.
inline Ranges random_ranges(std::uint64_t seed, std::int64_t objects, int ranks) {
  const Random random(seed, 92);
  Ranges ranges{0, objects};
  for (int r = 1; r < ranks; ++r)
    ranges.push_back(static_cast<std::int64_t>(
        random.below(static_cast<std::uint64_t>(r), static_cast<std::uint64_t>(objects) + 1)));
  std::ranges::sort(ranges);
  return ranges;
}

/// Who has object `i`.
inline std::size_t owner(const Ranges& ranges, std::int64_t i) {
  std::size_t r = 0;
  while (ranges[r + 1] <= i) ++r;
  return r;
}

/// By adding up.
inline std::int64_t largest_load(std::span<const std::int64_t> weights, const Ranges& ranges) {
  std::vector<std::int64_t> loads(ranges.size(), 0);
  for (std::size_t i = 0; i < weights.size(); ++i)
    loads[owner(ranges, static_cast<std::int64_t>(i))] += weights[i];
  return *std::ranges::max_element(loads);
}

}  // namespace cairn::loadbalance::test
