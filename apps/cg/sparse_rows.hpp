/// This rank's rows of a sparse matrix in global numbers, and where they come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "row_partition.hpp"

namespace cairn::cg {

/// Consecutive rows in compressed form: entry k of row i (of this rank) stands at
/// starts[i] ≤ k < starts[i + 1]; the columns of a row rise, and none occurs twice.
struct SparseRows {
  std::vector<std::size_t> starts{0};  ///< shape [rows + 1]
  std::vector<std::uint64_t> columns;  ///< global
  std::vector<double> values;

  [[nodiscard]] std::size_t count() const noexcept { return starts.size() - 1; }
  [[nodiscard]] std::span<const std::uint64_t> columns_of(std::size_t row) const {
    return std::span(columns).subspan(starts[row], starts[row + 1] - starts[row]);
  }
  [[nodiscard]] std::span<const double> values_of(std::size_t row) const {
    return std::span(values).subspan(starts[row], starts[row + 1] - starts[row]);
  }
};

/// A matrix over all ranks.
struct DistributedRows {
  RowPartition partition;  ///< equal on all ranks
  SparseRows rows;         ///< this rank's
};

/// Reads a Matrix Market file: every rank reads it twice, counts, and keeps its own rows. The
/// entries that name one place are added up in the order of the file; a general matrix has to be
/// symmetric, to the last bit. Collective, blocking.
///
/// @throws Error, agreed: what MatrixReader throws; bad_data when the matrix is not symmetric, or
/// the file changes meanwhile
/// @par Determinism  the rows depend on the file alone, not on how they are dealt
/// @par Cost  two passes over the text; memory 8 bytes a row of the whole matrix, and 16 a non-zero
/// of this rank's part
[[nodiscard]] DistributedRows read_matrix(const Communicator& comm,
                                          const std::filesystem::path& file);

/// The five-point Laplacian times h² on the n × n inner points of the unit square: 4 on the
/// diagonal, -1 for each neighbour; row i·n + j is the point (i, j). Collective, blocking.
/// @throws Error{Errc::usage}, agreed, for n < 1
[[nodiscard]] DistributedRows poisson(const Communicator& comm, std::uint64_t n);

/// Throws the agreed Error{bad_data} that names the first entry (of some rank) whose mirror image
/// is another number. Collective, blocking.
/// @par Cost  the entries that stand in another rank's columns travel, 24 bytes each
void check_symmetric(const Communicator& comm, const DistributedRows& matrix);

/// A number that tells matrices apart: the sum, modulo 2^64, of a hash of each entry. Equal on all
/// ranks, and however the rows are dealt. Collective, blocking.
[[nodiscard]] std::uint64_t fingerprint(const Communicator& comm, const DistributedRows& matrix);

/// The same for a vector of which this rank has the part from `first` on.
[[nodiscard]] std::uint64_t fingerprint(const Communicator& comm, std::uint64_t first,
                                        std::span<const double> part);

}  // namespace cairn::cg
