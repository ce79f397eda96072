/// Ranks on a Cartesian grid, block distribution along each axis, and halo exchange between
/// neighbours.
#pragma once

#include <mpi.h>

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "cairn/collectives/datatype.hpp"
#include "cairn/collectives/requests.hpp"
#include "cairn/collectives/where.hpp"

namespace cairn {

/// A half-open range [first, first + count) of indices along one axis.
struct AxisRange {
  std::size_t first = 0;
  std::size_t count = 0;
};

/// Part `index` of `n` items cut into `parts` consecutive parts whose sizes differ by at most one,
/// larger ones first.
/// @throws Error{Errc::internal} unless 0 ≤ index < parts
[[nodiscard]] AxisRange block_range(std::size_t n, int parts, int index);

/// The ranks of a communicator on a grid of one to four axes; axis 0 varies slowest, as in a
/// row-major array.
class CartesianGrid {
 public:
  /// Collective over `parent`. MPI_Dims_create chooses the shape; `periodic` holds for every axis.
  /// @param axes  1 to 4
  enum class Boundary { open, periodic };
  CartesianGrid(const Communicator& parent, int axes, Boundary boundary = Boundary::open,
                Where where = Where::here());

  [[nodiscard]] const Communicator& comm() const noexcept { return comm_; }
  [[nodiscard]] int axes() const noexcept { return static_cast<int>(dims_.size()); }
  /// Ranks along `axis`.
  [[nodiscard]] int dims(int axis) const { return dims_.at(static_cast<std::size_t>(axis)); }
  /// This rank's place along `axis`.
  [[nodiscard]] int coordinate(int axis) const {
    return coordinates_.at(static_cast<std::size_t>(axis));
  }
  /// The rank one step down (-1) or up (+1) `axis`; MPI_PROC_NULL beyond an open boundary.
  [[nodiscard]] int neighbour(int axis, int step) const;
  /// This rank's part of `n` items along `axis`.
  [[nodiscard]] AxisRange range(std::size_t n, int axis) const;

 private:
  friend class HaloExchange;
  CartesianGrid(const Communicator& parent, std::vector<int> dims, Boundary boundary);
  Communicator comm_;
  std::vector<int> dims_;
  std::vector<int> coordinates_;
  std::vector<std::array<int, 2>> neighbours_;  // per axis: one step down, one step up
  mutable int exchanges_ = 0;                   // HaloExchanges made, which number their messages
};

/// Exchanges ghost layers of a row-major array between grid neighbours: faces, without corners.
///
///     allocated extent (here 2-D, width 1)      g g g g
///     interior x, ghost cells g                 g x x g     rows ↔ neighbours along axis 0
///                                               g x x g     columns ↔ neighbours along axis 1
///                                               g g g g
///
/// Ghost cells beyond an open boundary are left alone. The datatypes are made once; an exchange
/// allocates nothing. Its messages are seen by no receive of the caller's. Several exchanges of a
/// grid may be under way at once, and be started in different orders on the ranks. Destroying a
/// HaloExchange that is started and not finished ends the program with a message, as for a Future:
/// MPI would go on writing to an array that may be gone.
class HaloExchange {
 public:
  /// Local, but the exchanges of a grid are made in the same order on all its ranks, and the ghost
  /// widths and the extents along shared faces are equal on neighbours. Of two that are 4000 apart
  /// in this order only one is under way at a time.
  /// @param grid      must outlive this object
  /// @param extent    allocated elements along each axis, ghosts included; one entry per axis of
  /// the grid
  /// @param width     ghost layers on each side of each axis, ≥ 1
  /// @param element   MPI type of an element
  HaloExchange(const CartesianGrid& grid, std::span<const std::size_t> extent, int width,
               MPI_Datatype element);
  HaloExchange(const CartesianGrid&& temporary, std::span<const std::size_t> extent, int width,
               MPI_Datatype element) = delete;
  ~HaloExchange();
  HaloExchange(const HaloExchange&) = delete;
  HaloExchange& operator=(const HaloExchange&) = delete;

  /// Posts all sends and receives. Neighbours call it together; until finish() the outermost
  /// `width` interior layers may be read and the ghosts must not be touched.
  /// @throws Error{Errc::mpi_failure} on this rank
  /// @throws Error{Errc::internal} on a rank whose exchange before is not finished
  void start(void* data);

  /// Waits for them. After it the ghosts hold the neighbours' values.
  /// @throws Error{Errc::mpi_failure} on this rank; the exchange is over
  void finish();

  void exchange(void* data) {
    start(data);
    finish();
  }

 private:
  struct Face {
    MPI_Datatype send = MPI_DATATYPE_NULL;
    MPI_Datatype receive = MPI_DATATYPE_NULL;
    int neighbour = MPI_PROC_NULL;
    int send_tag = 0;
    int receive_tag = 0;
  };
  const CartesianGrid& grid_;
  std::vector<Face> faces_;
  detail::Requests requests_;
};

}  // namespace cairn
