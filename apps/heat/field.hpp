/// The temperature field: this rank's block of the grid, and what is asked of the whole field.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "cairn/ckpt/block.hpp"
#include "cairn/collectives/cartesian.hpp"

namespace cairn::heat {

/// One rank's block of the n × n interior points of the unit square, with one ghost layer.
///
/// Point (i, j) lies at y = (i + 1) h, x = (j + 1) h with h = 1 / (n + 1). Beyond the outermost
/// points lies the boundary, held at 0: the ghost cells there, which nobody ever writes.
///
///     rank 0 | rank 1        block of a rank      g g g g g    stride = columns + 2
///     -------+-------        (storage, row-major) g x x x g
///     rank 2 | rank 3                             g x x x g
///                                                 g g g g g
class Field {
 public:
  /// Collective over `comm`. The pages of both buffers are first touched by the threads that will
  /// work on them.
  /// @param n  points along one side; at least one row and one column a rank
  /// @throws Error{Errc::usage} on all ranks when n does not suit the ranks or the memory
  Field(const Communicator& comm, int n);

  [[nodiscard]] const CartesianGrid& grid() const noexcept { return grid_; }
  [[nodiscard]] const Communicator& comm() const noexcept { return grid_.comm(); }
  [[nodiscard]] std::size_t n() const noexcept { return n_; }
  [[nodiscard]] double h() const noexcept { return 1.0 / static_cast<double>(n_ + 1); }
  [[nodiscard]] const AxisRange& rows() const noexcept { return rows_; }
  [[nodiscard]] const AxisRange& columns() const noexcept { return columns_; }
  [[nodiscard]] std::size_t stride() const noexcept { return columns_.count + 2; }

  /// The interior part of this rank's row i, 0 ≤ i < rows().count: shape [columns().count].
  [[nodiscard]] std::span<double> row(std::size_t i) {
    return {now.data() + index(i), columns_.count};
  }
  [[nodiscard]] std::span<const double> row(std::size_t i) const {
    return {now.data() + index(i), columns_.count};
  }
  /// Where row i's first interior point stands in the storage.
  [[nodiscard]] std::size_t index(std::size_t i) const noexcept { return (i + 1) * stride() + 1; }

  std::vector<double> now;   ///< values at this step, shape [rows + 2, columns + 2]
  std::vector<double> next;  ///< values at the step that is being computed

 private:
  std::size_t n_;
  CartesianGrid grid_;
  AxisRange rows_;
  AxisRange columns_;
};

/// This rank's block of the global array, as ckpt wants to know it.
[[nodiscard]] ckpt::Block block_of(const Field& field);

/// Numbers about the whole field; the same bits for any number of ranks and threads.
struct Norms {
  double l2 = 0;       ///< discrete L2 norm: h · sqrt(Σ u²), the sum correctly rounded
  double sum = 0;      ///< Σ u, correctly rounded
  double minimum = 0;  ///< of the interior points
  double maximum = 0;
};

/// Collective, blocking.
[[nodiscard]] Norms norms(const Field& field);

/// The difference to the solution u = exp(-2π²t) sin(πx) sin(πy) at time t.
struct Distance {
  double l2 = 0;
  double maximum = 0;
};

/// Collective, blocking; bits as for norms().
[[nodiscard]] Distance distance_to_sine(const Field& field, double time);

/// sin(πx) at the n points of an axis.
[[nodiscard]] std::vector<double> sine_of_axis(std::size_t n);

}  // namespace cairn::heat
