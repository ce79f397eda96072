/// Systems whose numbers are known everywhere, to compare with.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/core/random.hpp"
#include "mpi_test.hpp"
#include "sparse_rows.hpp"

namespace cairn::cg::test {

/// A whole matrix: by place, hence by rising column within a row.
struct Twin {
  std::uint64_t n = 0;
  std::map<std::pair<std::uint64_t, std::uint64_t>, double> entries;

  [[nodiscard]] std::vector<double> times(const std::vector<double>& x) const {
    std::vector<double> y(n, 0.0);
    for (const auto& [place, value] : entries) y[place.first] += value * x[place.second];
    return y;
  }
  [[nodiscard]] double at(std::uint64_t row, std::uint64_t column) const {
    const auto found = entries.find({row, column});
    return found == entries.end() ? 0.0 : found->second;
  }
};

/// Symmetric, and positive definite by its diagonal: `a_row` random places a row, most of them far
/// from the diagonal, with numbers of both signs and many magnitudes.
inline Twin rough_twin(std::uint64_t n, std::uint64_t a_row, std::uint64_t seed) {
  const Random random(seed);
  Twin twin{n, {}};
  std::vector<double> sums(n, 0.0);
  std::uint64_t index = 0;
  for (std::uint64_t row = 0; row < n; ++row) {
    for (std::uint64_t k = 0; k < a_row; ++k) {
      const std::uint64_t column = random.below(index++, n);
      const double scale = 1.0 / static_cast<double>(1U << random.below(index++, 20));
      const double value = (random.uniform(index++) - 0.5) * scale;
      if (column == row || !twin.entries.emplace(std::pair(row, column), value).second) continue;
      twin.entries[{column, row}] = value;
      sums[row] += std::abs(value);
      sums[column] += std::abs(value);
    }
  }
  for (std::uint64_t row = 0; row < n; ++row) {
    twin.entries[{row, row}] = sums[row] * (1.0 + random.uniform(index++)) + 0.01;
  }
  return twin;
}

/// The rows of this rank, dealt by non-zeros. Local.
inline DistributedRows dealt(const Communicator& comm, const Twin& twin) {
  std::vector<std::uint64_t> before(twin.n + 1, 0);
  for (const auto& [place, value] : twin.entries) ++before[place.first + 1];
  for (std::uint64_t row = 0; row < twin.n; ++row) before[row + 1] += before[row];
  auto partition = balanced_rows(twin.n, comm.size(), [&](std::uint64_t k) { return before[k]; });
  SparseRows rows;
  const auto first = partition.first(comm.rank());
  const auto last = partition.last(comm.rank());
  for (std::uint64_t row = first; row < last; ++row)
    rows.starts.push_back(before[row + 1] - before[first]);
  for (const auto& [place, value] : twin.entries) {
    if (place.first < first || place.first >= last) continue;
    rows.columns.push_back(place.second);
    rows.values.push_back(value);
  }
  return {std::move(partition), std::move(rows)};
}

/// Rough numbers of both signs.
inline std::vector<double> rough_vector(std::uint64_t n, std::uint64_t seed) {
  const Random random(seed, 7);
  std::vector<double> values(n);
  for (std::uint64_t i = 0; i < n; ++i) {
    values[i] =
        (random.uniform(2 * i) - 0.5) / static_cast<double>(1U << random.below(2 * i + 1, 20));
  }
  return values;
}

/// This rank's part of a whole vector.
inline std::vector<double> part_of(const std::vector<double>& whole, const RowPartition& partition,
                                   int rank) {
  return {whole.begin() + static_cast<std::ptrdiff_t>(partition.first(rank)),
          whole.begin() + static_cast<std::ptrdiff_t>(partition.last(rank))};
}

}  // namespace cairn::cg::test
