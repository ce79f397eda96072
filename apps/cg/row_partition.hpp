/// Which rank has which rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace cairn::cg {

/// Consecutive rows for each rank: rank r has [first(r), last(r)), which may be empty.
class RowPartition {
 public:
  /// @param starts  shape [p + 1], from 0 to the number of rows, not falling
  explicit RowPartition(std::vector<std::uint64_t> starts) : starts_(std::move(starts)) {}

  [[nodiscard]] std::uint64_t first(int rank) const { return starts_[index(rank)]; }
  [[nodiscard]] std::uint64_t last(int rank) const { return starts_[index(rank) + 1]; }
  [[nodiscard]] std::size_t count(int rank) const { return last(rank) - first(rank); }
  [[nodiscard]] std::uint64_t rows() const { return starts_.back(); }
  [[nodiscard]] const std::vector<std::uint64_t>& starts() const noexcept { return starts_; }

  /// The rank that has `row`, 0 ≤ row < rows(). O(log p).
  [[nodiscard]] int owner(std::uint64_t row) const;

 private:
  static std::size_t index(int rank) { return static_cast<std::size_t>(rank); }

  std::vector<std::uint64_t> starts_;
};

/// Cuts `rows` rows where the non-zeros before the cut come closest to r/p of all: no rank has more
/// than 1/p of them and half of a row at each end. A function of its arguments alone.
///
/// @param nonzeros_before  of rows [0, k), for 0 ≤ k ≤ rows; not falling
/// @par Cost  p log(rows) calls
[[nodiscard]] RowPartition balanced_rows(
    std::uint64_t rows, int ranks,
    const std::function<std::uint64_t(std::uint64_t k)>& nonzeros_before);

}  // namespace cairn::cg
