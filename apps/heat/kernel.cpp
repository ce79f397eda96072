#include "kernel.hpp"

#include <mpi.h>

#include <array>
#include <utility>

namespace cairn::heat {

// Sanitizers instrument the resolvers of the clones, which run before the sanitizers are ready.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
[[gnu::target_clones("default", "avx2", "avx512f")]]
#endif
void sweep_row(const double* __restrict north, const double* __restrict row,
               const double* __restrict south, double* __restrict out, std::size_t count) noexcept {
  const double* west = row - 1;
  const double* east = row + 1;
  for (std::size_t j = 0; j < count; ++j) {
    out[j] = row[j] + mesh_ratio * (((north[j] + south[j]) + (west[j] + east[j])) - 4.0 * row[j]);
  }
}

namespace {

/// [0, count) without the ends on whose far side a neighbour's points lie.
AxisRange without_halo(const CartesianGrid& grid, int axis, std::size_t count) {
  const std::size_t below = grid.neighbour(axis, -1) != MPI_PROC_NULL ? 1 : 0;
  const std::size_t above = grid.neighbour(axis, 1) != MPI_PROC_NULL ? 1 : 0;
  if (count < below + above) return {0, 0};
  return {below, count - below - above};
}

std::array<std::size_t, 2> extent(const Field& field) {
  return {field.rows().count + 2, field.stride()};
}

}  // namespace

Stepper::Stepper(Field& field)
    : field_(field),
      halo_(field.grid(), extent(field), 1, MPI_DOUBLE),
      inner_rows_(without_halo(field.grid(), 0, field.rows().count)),
      inner_columns_(without_halo(field.grid(), 1, field.columns().count)) {}

void Stepper::sweep(const AxisRange& rows, const AxisRange& columns) {
  if (rows.count == 0 || columns.count == 0) return;
  const std::size_t stride = field_.stride();
  const double* now = field_.now.data() + columns.first;
  double* next = field_.next.data() + columns.first;
  const auto last = static_cast<std::ptrdiff_t>(rows.first + rows.count);
#pragma omp parallel for schedule(static) if (rows.count > 1)
  for (std::ptrdiff_t i = static_cast<std::ptrdiff_t>(rows.first); i < last; ++i) {
    const std::size_t at = field_.index(static_cast<std::size_t>(i));
    sweep_row(now + at - stride, now + at, now + at + stride, next + at, columns.count);
  }
}

void Stepper::step() {
  const std::size_t rows = field_.rows().count;
  const std::size_t columns = field_.columns().count;
  halo_.start(field_.now.data());
  sweep(inner_rows_, inner_columns_);
  halo_.finish();
  // The border: rows above and below the inner ones in full, then what is left at both sides.
  const std::size_t inner_end = inner_rows_.first + inner_rows_.count;
  sweep({0, inner_rows_.first}, {0, columns});
  sweep({inner_end, rows - inner_end}, {0, columns});
  const std::size_t side_end = inner_columns_.first + inner_columns_.count;
  sweep(inner_rows_, {0, inner_columns_.first});
  sweep(inner_rows_, {side_end, columns - side_end});
  std::swap(field_.now, field_.next);
}

}  // namespace cairn::heat
