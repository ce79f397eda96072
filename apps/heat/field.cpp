#include "field.hpp"

#include <mpi.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/exact_sum.hpp"
#include "cairn/program/memory.hpp"

namespace cairn::heat {

namespace {

constexpr std::size_t page_doubles = 4096 / sizeof(double);

std::size_t checked_size(const Communicator& comm, int n) {
  if (n < 1) {
    throw_agreed(comm, Errc::usage,
                 "--size " + std::to_string(n) +
                     " makes no sense: it is the number of grid points along one side, 1 or more");
  }
  int dims[2] = {0, 0};
  check_mpi(MPI_Dims_create(comm.size(), 2, dims), "MPI_Dims_create");
  const int most = std::max(dims[0], dims[1]);
  if (n < most) {
    throw_agreed(comm, Errc::usage,
                 "--size " + std::to_string(n) + " is too small for " +
                     std::to_string(comm.size()) + " ranks: they form a " +
                     std::to_string(dims[0]) + " x " + std::to_string(dims[1]) +
                     " grid, and each needs a row and a column of its own; use --size " +
                     std::to_string(most) + " or more, or fewer ranks");
  }
  return static_cast<std::size_t>(n);
}

/// A vector of zeros, whose pages the OpenMP threads touched first (rows dealt as in the kernel),
/// so that on a machine with several memories each page lies near the thread that works on it.
std::vector<double> first_touched(std::size_t rows, std::size_t stride) {
  std::vector<double> values;
  values.reserve(rows * stride);
  volatile double* raw = values.data();
  const auto count = static_cast<std::ptrdiff_t>(rows);
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const auto begin = static_cast<std::size_t>(i) * stride;
    for (std::size_t j = begin; j < begin + stride; j += page_doubles) raw[j] = 0.0;
  }
  values.resize(rows * stride);  // zeros from one thread, into pages that have their place
  return values;
}

}  // namespace

Field::Field(const Communicator& comm, int n)
    : n_(checked_size(comm, n)),
      grid_(comm, 2),
      rows_(grid_.range(n_, 0)),
      columns_(grid_.range(n_, 1)) {
  const double bytes = 2.0 * sizeof(double) * static_cast<double>((rows_.count + 2) * stride());
  program::take_memory(comm, "--size " + std::to_string(n), bytes, [&] {
    now = first_touched(rows_.count + 2, stride());
    next = first_touched(rows_.count + 2, stride());
  });
}

ckpt::Block block_of(const Field& field) {
  return {.global = {field.n(), field.n()},
          .offset = {field.rows().first, field.columns().first},
          .count = {field.rows().count, field.columns().count},
          .ghosts = 1};
}

namespace {

/// What one thread, or rank, knows of the values that it saw.
struct Partial {
  ExactSum sum;
  ExactSum squares;
  std::array<double, 2> extremes{-std::numeric_limits<double>::infinity(),   // of -u
                                 -std::numeric_limits<double>::infinity()};  // of u

  void add(std::span<const double> values) {
    sum.add(values);
    squares.add_products(values, values);
    for (const double u : values) {
      extremes[0] = std::max(extremes[0], -u);
      extremes[1] = std::max(extremes[1], u);
    }
  }
  void merge(const Partial& other) {
    sum.merge(other.sum);
    squares.merge(other.squares);
    extremes[0] = std::max(extremes[0], other.extremes[0]);
    extremes[1] = std::max(extremes[1], other.extremes[1]);
  }
};

/// Calls row_values(i, scratch) for every row of this rank, in parallel, and collects the values
/// that it returns: shape [columns].
template <typename RowValues>
Partial collect(const Field& field, RowValues&& row_values) {
  Partial all;
  const auto rows = static_cast<std::ptrdiff_t>(field.rows().count);
#pragma omp parallel
  {
    Partial mine;
    std::vector<double> scratch(field.columns().count);
#pragma omp for schedule(static)
    for (std::ptrdiff_t i = 0; i < rows; ++i) {
      mine.add(row_values(static_cast<std::size_t>(i), std::span(scratch)));
    }
#pragma omp critical
    all.merge(mine);
  }
  return all;
}

}  // namespace

Norms norms(const Field& field) {
  auto local = collect(field, [&](std::size_t i, std::span<double>) { return field.row(i); });
  all_reduce(field.comm(), std::span<double>(local.extremes), Maximum{});
  return {field.h() * std::sqrt(all_reduce(field.comm(), local.squares).round()),
          all_reduce(field.comm(), local.sum).round(), 0.0 - local.extremes[0],
          0.0 + local.extremes[1]};  // and never -0
}

std::vector<double> sine_of_axis(std::size_t n) {
  std::vector<double> values(n);
  for (std::size_t i = 0; i < n; ++i) {
    values[i] =
        std::sin(std::numbers::pi * static_cast<double>(i + 1) / static_cast<double>(n + 1));
  }
  return values;
}

Distance distance_to_sine(const Field& field, double time) {
  const auto sine = sine_of_axis(field.n());
  const double decay = std::exp(-2.0 * std::numbers::pi * std::numbers::pi * time);
  auto local = collect(field, [&](std::size_t i, std::span<double> difference) {
    const auto row = field.row(i);
    const double factor = decay * sine[field.rows().first + i];
    for (std::size_t j = 0; j < row.size(); ++j) {
      difference[j] = row[j] - factor * sine[field.columns().first + j];
    }
    return std::span<const double>(difference);
  });
  all_reduce(field.comm(), std::span<double>(local.extremes), Maximum{});
  return {field.h() * std::sqrt(all_reduce(field.comm(), local.squares).round()),
          std::max(local.extremes[0], local.extremes[1])};
}

}  // namespace cairn::heat
