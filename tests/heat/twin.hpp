/// The whole problem on one rank, written again in the plainest way, to compare with.
#pragma once

#include <cstddef>
#include <vector>

#include "field.hpp"
#include "kernel.hpp"

namespace cairn::heat::test {

/// n × n points, row-major, boundary 0.
using Plate = std::vector<double>;

inline Plate step(const Plate& u, std::size_t n) {
  const auto at = [&](std::size_t i, std::size_t j) {  // shifted by one: 0 is the boundary
    return i == 0 || j == 0 || i > n || j > n ? 0.0 : u[(i - 1) * n + j - 1];
  };
  Plate next(n * n);
  for (std::size_t i = 1; i <= n; ++i) {
    for (std::size_t j = 1; j <= n; ++j) {
      const double vertical = at(i - 1, j) + at(i + 1, j);
      const double horizontal = at(i, j - 1) + at(i, j + 1);
      next[(i - 1) * n + j - 1] =
          at(i, j) + mesh_ratio * ((vertical + horizontal) - 4.0 * at(i, j));
    }
  }
  return next;
}

/// Fills this rank's block from value(i, j) of the global indices.
template <typename Value>
void fill(Field& field, Value&& value) {
  for (std::size_t i = 0; i < field.rows().count; ++i) {
    for (std::size_t j = 0; j < field.columns().count; ++j) {
      field.row(i)[j] = value(field.rows().first + i, field.columns().first + j);
    }
  }
}

/// Points of this rank's block that differ from the plate.
inline int differences(const Field& field, const Plate& plate) {
  int count = 0;
  for (std::size_t i = 0; i < field.rows().count; ++i) {
    for (std::size_t j = 0; j < field.columns().count; ++j) {
      const std::size_t at = (field.rows().first + i) * field.n() + field.columns().first + j;
      count += field.row(i)[j] != plate[at] ? 1 : 0;
    }
  }
  return count;
}

/// Reproducible numbers of both signs and many magnitudes.
inline Plate rough_plate(std::size_t n) {
  Plate plate(n * n);
  for (std::size_t k = 0; k < plate.size(); ++k) {
    const auto bits = (k + 1) * 2654435761U % 1000003U;
    plate[k] = (static_cast<double>(bits) - 500000.0) / static_cast<double>(1U << (bits % 30));
  }
  return plate;
}

}  // namespace cairn::heat::test
