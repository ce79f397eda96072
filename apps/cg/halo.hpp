/// The entries of a distributed vector that a rank's rows need from others.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "row_partition.hpp"

namespace cairn::cg {

/// Who needs what from whom, found once and used in every product.
///
/// A rank's part of a vector lies between the entries that it needs from lower and from higher
/// ranks, all by rising global number. So a row whose columns rise in global numbers has rising
/// local columns too, and its products are added in one order, wherever the ranks' borders are.
///
///     global    0 1 2 3 4 5 6 7 8 9        rank 1 has rows 4 … 6 and needs 1, 3 and 8
///     local         0   1 2 3 4   5        extended  [ 1 3 | 4 5 6 | 8 ]
///                                                     below   own   above
class Halo {
 public:
  /// Collective, blocking.
  /// @param comm    outlives this object
  /// @param ghosts  shape [g], the global numbers that this rank needs and does not have; rising
  /// @throws Error, agreed, as exchange_lists(); {unavailable} when memory runs out
  Halo(const Communicator& comm, const RowPartition& partition, std::vector<std::uint64_t> ghosts);

  [[nodiscard]] std::size_t below() const noexcept { return below_; }
  [[nodiscard]] std::size_t own() const noexcept { return own_; }
  [[nodiscard]] std::size_t ghosts() const noexcept { return ghosts_.size(); }
  [[nodiscard]] std::size_t extended() const noexcept { return ghosts_.size() + own_; }

  /// The local number of a global one, which is this rank's or one of the ghosts. O(log g).
  [[nodiscard]] std::size_t local(std::uint64_t global) const;

  /// This rank's part of an extended vector.
  [[nodiscard]] std::span<double> own_part(std::span<double> extended) const {
    return extended.subspan(below_, own_);
  }

  /// Fills the ghosts of `extended`, shape [extended()], from their owners. Collective, blocking.
  /// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
  /// @par Cost  a message to and from each neighbour; no allocation
  void exchange(std::span<double> extended);

 private:
  /// A rank, and the part of a list that goes to it or comes from it.
  struct Neighbour {
    int rank;
    std::size_t first;
    std::size_t count;
  };

  const Communicator& comm_;
  std::uint64_t first_;  // global number of the first own entry
  std::size_t own_;
  std::vector<std::uint64_t> ghosts_;
  std::size_t below_ = 0;
  std::vector<Neighbour> sources_;       // parts of the extended vector
  std::vector<Neighbour> destinations_;  // parts of outgoing_
  std::vector<std::size_t> outgoing_;    // local numbers of what others need
  std::vector<double> buffer_;           // shape of outgoing_
  std::vector<MPI_Request> requests_;
};

}  // namespace cairn::cg
