#include "row_partition.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "cairn/core/random.hpp"

using namespace cairn;
using namespace cairn::cg;

namespace {

std::uint64_t distance(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : b - a; }

/// Each cut against a search of all places.
void check_partition(const std::vector<std::uint64_t>& counts, int ranks) {
  std::vector<std::uint64_t> before(counts.size() + 1);
  std::partial_sum(counts.begin(), counts.end(), before.begin() + 1);
  const auto partition =
      balanced_rows(counts.size(), ranks, [&](std::uint64_t k) { return before[k]; });
  CHECK(partition.rows() == counts.size());
  CHECK(partition.starts().size() == static_cast<std::size_t>(ranks) + 1);
  CHECK(partition.first(0) == 0);
  CHECK(partition.last(ranks - 1) == counts.size());
  CHECK(std::is_sorted(partition.starts().begin(), partition.starts().end()));
  for (int r = 1; r < ranks; ++r) {
    const std::uint64_t target =
        before.back() * static_cast<std::uint64_t>(r) / static_cast<std::uint64_t>(ranks);
    std::uint64_t best = distance(before[0], target);
    for (const auto value : before) best = std::min(best, distance(value, target));
    CHECK(distance(before[partition.first(r)], target) == best);
  }
  for (std::uint64_t row = 0; row < counts.size(); ++row) {
    const int owner = partition.owner(row);
    CHECK(partition.first(owner) <= row);
    CHECK(row < partition.last(owner));
  }
}

}  // namespace

TEST_CASE("cuts stand where the non-zeros before them come closest to equal parts") {
  const Random random(3);
  std::uint64_t index = 0;
  for (const std::size_t rows : {1, 2, 3, 7, 20, 101}) {
    std::vector<std::uint64_t> counts(rows);
    for (const std::uint64_t spread : {1, 2, 5, 1000}) {  // even to uneven
      for (auto& count : counts) count = 1 + random.below(index++, spread);
      for (const int ranks : {1, 2, 3, 4, 7, 33}) check_partition(counts, ranks);
    }
    counts[rows / 2] = 100000;  // one row outweighs all
    for (const int ranks : {1, 2, 3, 4, 7}) check_partition(counts, ranks);
  }
}

TEST_CASE("no overflow where the non-zeros are as many as a number can count") {
  const std::uint64_t huge = std::uint64_t{1} << 61;
  const auto partition = balanced_rows(4, 4, [&](std::uint64_t k) { return k * huge; });
  CHECK(partition.starts() == std::vector<std::uint64_t>{0, 1, 2, 3, 4});
}
