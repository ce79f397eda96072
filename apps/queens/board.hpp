// Queens on a board of n × n, a row at a time, in bit masks.
#pragma once

#include <cstdint>
#include <string>

namespace cairn::queens {

/// One queen in each of the first rows, none of which attacks another. A bit a column.
struct Placement {
  std::uint32_t columns = 0;  ///< that have a queen
  std::uint32_t rising = 0;   ///< that diagonals reach in the next row, going up in columns,
  std::uint32_t falling = 0;  ///< and going down
  std::int32_t rows = 0;      ///< that have a queen
};

/// How the pool names one that has failed.
[[nodiscard]] std::string describe(const Placement& placement);

/// What is counted, of all placements or of a part of them.
struct Counts {
  std::uint64_t nodes = 0;      ///< placements, the empty one and the full ones among them
  std::uint64_t solutions = 0;  ///< full ones

  /// Exact, so that the result does not depend on how the search is dealt out.
  void merge(const Counts& other) noexcept {
    nodes += other.nodes;
    solutions += other.solutions;
  }

  friend bool operator==(const Counts&, const Counts&) = default;
};

/// How placements grow.
class Board {
 public:
  /// @param n  1 … 31
  explicit Board(int n) noexcept : n_(n), all_((std::uint32_t{1} << n) - 1) {}

  [[nodiscard]] int n() const noexcept { return n_; }
  [[nodiscard]] bool is_full(const Placement& placement) const noexcept {
    return placement.rows == n_;
  }

  /// The columns of the next row that no queen attacks.
  [[nodiscard]] std::uint32_t free(const Placement& placement) const noexcept {
    return all_ & ~(placement.columns | placement.rising | placement.falling);
  }

  /// With one more queen, in the next row. @param column  one bit of free()
  [[nodiscard]] static Placement with(const Placement& placement, std::uint32_t column) noexcept {
    return {placement.columns | column, (placement.rising | column) << 1,
            (placement.falling | column) >> 1, placement.rows + 1};
  }

  /// Calls then(with(placement, column)) for each free column.
  template <typename Then>
  void each_next(const Placement& placement, Then&& then) const {
    for (std::uint32_t left = free(placement); left != 0; left &= left - 1)
      then(with(placement, left & -left));
  }

 private:
  int n_;
  std::uint32_t all_;
};

}  // namespace cairn::queens
