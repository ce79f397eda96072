/// A sparse matrix over all ranks, ready for products.
#pragma once

#include <Eigen/SparseCore>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "halo.hpp"
#include "sparse_rows.hpp"

namespace cairn::cg {

/// This rank's rows as an Eigen matrix in local columns (halo.hpp), and the exchange that its
/// product needs.
class Matrix {
 public:
  /// Collective, blocking; takes `rows` apart.
  /// @throws Error, agreed: {usage} when a rank's part has more than 2^31 - 1 non-zeros or columns,
  /// {bad_data} when a number on the diagonal is not positive, {unavailable} when memory runs out
  Matrix(const Communicator& comm, DistributedRows rows);

  [[nodiscard]] const RowPartition& partition() const noexcept { return partition_; }
  [[nodiscard]] const Halo& halo() const noexcept { return halo_; }
  [[nodiscard]] std::uint64_t rows() const noexcept { return partition_.rows(); }
  [[nodiscard]] std::uint64_t nonzeros() const noexcept { return nonzeros_; }  ///< of all ranks
  [[nodiscard]] std::uint64_t first_row() const noexcept { return first_row_; }
  [[nodiscard]] std::size_t local_rows() const noexcept { return halo_.own(); }
  [[nodiscard]] std::size_t local_nonzeros() const noexcept {
    return static_cast<std::size_t>(local_.nonZeros());
  }
  /// This rank's part of the diagonal, shape [local_rows()].
  [[nodiscard]] const std::vector<double>& diagonal() const noexcept { return diagonal_; }

  /// result = A · extended. Collective, blocking; OpenMP over rows inside the rank.
  /// @param extended  shape [halo().extended()]; its ghosts are filled
  /// @param result    shape [local_rows()]
  /// @par Determinism  each row is added up by rising global column, by one thread: the same bits
  /// for any number of ranks and threads
  void multiply(std::span<double> extended, std::span<double> result);

 private:
  using Local = Eigen::SparseMatrix<double, Eigen::RowMajor, int>;
  void take_apart(SparseRows rows);

  RowPartition partition_;
  std::uint64_t first_row_;
  Halo halo_;
  Local local_;  // local_rows × extended
  std::vector<double> diagonal_;
  std::uint64_t nonzeros_;
};

}  // namespace cairn::cg
