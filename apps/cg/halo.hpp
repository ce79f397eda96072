/// The entries of a distributed vector that a rank's rows need from others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "cairn/collectives/neighbour.hpp"
#include "exchange.hpp"
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
  /// @par Cost  one MPI_Neighbor_alltoallv; no allocation
  void exchange(std::span<double> extended);

 private:
  /// The parts of a buffer that come from, or go to, the ranks of a list.
  struct Parts {
    std::vector<int> ranks;
    std::vector<int> counts;
    std::vector<int> displacements;

    void add(int rank, std::size_t first, std::size_t count);
    [[nodiscard]] Layout layout() const noexcept { return {counts, displacements}; }
  };
  void find_sources(const RowPartition& partition);
  [[nodiscard]] std::vector<std::vector<std::uint64_t>> wanted() const;
  void find_destinations(const Incoming& needed);

  std::uint64_t first_;  // global number of the first own entry
  std::size_t own_;
  std::vector<std::uint64_t> ghosts_;
  std::size_t below_ = 0;
  Parts sources_;                        // of an extended vector
  Parts destinations_;                   // of buffer_
  std::vector<std::size_t> outgoing_;    // local numbers of what others need
  std::vector<double> buffer_;           // shape of outgoing_
  std::optional<NeighbourGraph> graph_;  // made last
};

}  // namespace cairn::cg
