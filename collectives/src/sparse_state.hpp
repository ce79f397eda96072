/// What sparse exchanges keep in a Communicator from call to call.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "cairn/collectives/parts.hpp"

namespace cairn::detail {

/// The ranks of a communicator in rows of `columns` = ⌊√p⌋. The last, incomplete row (ranks R·c …
/// p-1) has fewer than c ranks and there are R ≥ c full ones, so each rank of it joins one of these
/// as a guest: it sends along that row, and receives along its own column only.
///
///     p = 11, c = 3        0  1  2 | 9      rows {0 1 2 9} {3 4 5 10} {6 7 8}
///                          3  4  5 | 10     columns {0 3 6 9} {1 4 7 10} {2 5 8}
///                          6  7  8
///                          9 10
struct Grid {
  explicit Grid(const Communicator& comm);

  [[nodiscard]] int column_of(int rank) const { return rank % columns; }
  [[nodiscard]] int row_of(int rank) const { return rank / columns; }

  int columns;
  Communicator row;     // this rank's row and its guest, by rank: the member of column j is rank j
  Communicator column;  // this rank's column: the member of row i is rank i
};

struct SparseState {
  int turn = 0;  // which of the two tags the next direct exchange uses
  std::vector<MPI_Request> requests;
  std::vector<std::size_t> part_bytes;  // by rank
  std::vector<std::size_t> filled;      // by rank
  ByteParts packed;
  ByteParts arrived;
  ByteParts forwarded;
  std::unique_ptr<Grid> grid;
};

}  // namespace cairn::detail
