/// One time step of the explicit five-point scheme.
#pragma once

#include <cstddef>

#include "cairn/collectives/cartesian.hpp"
#include "field.hpp"

namespace cairn::heat {

/// r = α Δt / h², the same for every size; the scheme is stable up to 1/4.
/// With α = 1 the time after s steps is s · r · h².
inline constexpr double mesh_ratio = 0.2;

/// out[j] = u + r ((north + south) + (west + east) - 4 u) for 0 ≤ j < count, in this order of
/// operations everywhere, without fused multiply-add: the bits do not depend on the vector width.
/// Local.
void sweep_row(const double* north, const double* row, const double* south, double* out,
               std::size_t count) noexcept;

/// Steps a field in time: FTCS (forward in time, centred in space).
///
/// Source: Courant, Friedrichs, Lewy, "Über die partiellen Differenzengleichungen der
/// mathematischen Physik", Mathematische Annalen 100, 1928, doi:10.1007/BF01448839.
class Stepper {
 public:
  /// Local. `field` must outlive this object.
  explicit Stepper(Field& field);

  /// One step: field.now becomes the values Δt later. Neighbours call it together. While the halo
  /// travels the threads compute all points that do not need it.
  /// @throws Error{Errc::mpi_failure} on this rank
  void step();

 private:
  void sweep(const AxisRange& rows, const AxisRange& columns);

  Field& field_;
  HaloExchange halo_;
  AxisRange inner_rows_;     // rows that need no ghosts of a neighbour
  AxisRange inner_columns_;  // columns that need none
};

}  // namespace cairn::heat
