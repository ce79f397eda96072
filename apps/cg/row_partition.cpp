#include "row_partition.hpp"

#include <algorithm>

namespace cairn::cg {

namespace {

/// The k in [low, high] at which `before` comes closest to `target`, the smaller one of two.
std::uint64_t closest(std::uint64_t low, std::uint64_t high, std::uint64_t target,
                      const std::function<std::uint64_t(std::uint64_t)>& before) {
  const std::uint64_t lowest = low;
  while (low < high) {  // the first k with before(k) ≥ target
    const std::uint64_t middle = low + (high - low) / 2;
    if (before(middle) < target) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == lowest || before(low) < target) return low;
  return target - before(low - 1) <= before(low) - target ? low - 1 : low;
}

}  // namespace

int RowPartition::owner(std::uint64_t row) const {
  // The last start that is not behind the row: empty parts begin there too, and have no rows.
  const auto behind = std::upper_bound(starts_.begin(), starts_.end(), row);
  return static_cast<int>(behind - starts_.begin()) - 1;
}

RowPartition balanced_rows(std::uint64_t rows, int ranks,
                           const std::function<std::uint64_t(std::uint64_t k)>& nonzeros_before) {
  const auto parts = static_cast<std::uint64_t>(ranks);
  const std::uint64_t total = nonzeros_before(rows);
  std::vector<std::uint64_t> starts{0};
  for (std::uint64_t r = 1; r < parts; ++r) {
    const std::uint64_t target = total / parts * r + total % parts * r / parts;
    starts.push_back(closest(starts.back(), rows, target, nonzeros_before));
  }
  starts.push_back(rows);
  return RowPartition(std::move(starts));
}

}  // namespace cairn::cg
