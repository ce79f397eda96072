#include "cairn/collectives/cartesian.hpp"

#include <mpi.h>

#include <array>
#include <vector>

#include "cairn/collectives/collective.hpp"
#include "cairn/core/error.hpp"
#include "mpi_test.hpp"

using namespace cairn;

TEST_CASE("block_range cuts without gaps, sizes differ by at most one") {
  for (std::size_t n = 0; n < 20; ++n) {
    for (int parts = 1; parts < 9; ++parts) {
      std::size_t next = 0;
      for (int i = 0; i < parts; ++i) {
        const auto range = block_range(n, parts, i);
        CHECK(range.first == next);
        CHECK(range.count - n / static_cast<std::size_t>(parts) <= 1);
        next += range.count;
      }
      CHECK(next == n);
    }
  }
  CHECK_THROWS_AS((void)block_range(10, 3, 3), Error);
}

TEST_CASE("neighbours see each other") {
  for (int axes = 1; axes <= 3; ++axes) {
    const CartesianGrid grid(test::world(), axes);
    int ranks = 1;
    for (int axis = 0; axis < axes; ++axis) ranks *= grid.dims(axis);
    CHECK(ranks == test::world().size());
    for (int axis = 0; axis < axes; ++axis) {
      CHECK((grid.neighbour(axis, -1) == MPI_PROC_NULL) == (grid.coordinate(axis) == 0));
      CHECK((grid.neighbour(axis, 1) == MPI_PROC_NULL) ==
            (grid.coordinate(axis) == grid.dims(axis) - 1));
    }
  }
}

namespace {

/// A number that tells a global cell (i, j) of an n × m torus apart from all others.
double cell(std::ptrdiff_t i, std::ptrdiff_t j, std::ptrdiff_t n, std::ptrdiff_t m) {
  return static_cast<double>(((i + n) % n) * m + (j + m) % m + 1);
}

void check_halo(CartesianGrid::Boundary boundary, int width) {
  const CartesianGrid grid(test::world(), 2, boundary);
  const std::size_t n = 5 * static_cast<std::size_t>(grid.dims(0)) + 1;
  const std::size_t m = 4 * static_cast<std::size_t>(grid.dims(1)) + 2;
  const auto rows = grid.range(n, 0);
  const auto columns = grid.range(m, 1);
  const auto w = static_cast<std::size_t>(width);
  const std::array<std::size_t, 2> extent{rows.count + 2 * w, columns.count + 2 * w};
  std::vector<double> data(extent[0] * extent[1], 0.0);
  const auto at = [&](std::size_t i, std::size_t j) -> double& { return data[i * extent[1] + j]; };
  const auto expected = [&](std::size_t i, std::size_t j) {
    const auto global_i = static_cast<std::ptrdiff_t>(rows.first + i) - width;
    const auto global_j = static_cast<std::ptrdiff_t>(columns.first + j) - width;
    const auto height = static_cast<std::ptrdiff_t>(n);
    const auto breadth = static_cast<std::ptrdiff_t>(m);
    const bool outside = global_i < 0 || global_j < 0 || global_i >= height || global_j >= breadth;
    if (outside && boundary == CartesianGrid::Boundary::open) return 0.0;
    return cell(global_i, global_j, height, breadth);
  };
  for (std::size_t i = w; i < extent[0] - w; ++i) {
    for (std::size_t j = w; j < extent[1] - w; ++j) at(i, j) = expected(i, j);
  }
  HaloExchange halo(grid, extent, width, MPI_DOUBLE);
  for (int repeat = 0; repeat < 2; ++repeat) halo.exchange(data.data());
  for (std::size_t i = 0; i < extent[0]; ++i) {
    for (std::size_t j = 0; j < extent[1]; ++j) {
      const bool ghost_row = i < w || i >= extent[0] - w;
      const bool ghost_column = j < w || j >= extent[1] - w;
      CHECK(at(i, j) == (ghost_row && ghost_column ? 0.0 : expected(i, j)));
    }
  }
}

}  // namespace

TEST_CASE(
    "after an exchange the ghosts hold the neighbours' cells, corners and boundary untouched") {
  check_halo(CartesianGrid::Boundary::open, 1);
  check_halo(CartesianGrid::Boundary::open, 2);
  check_halo(CartesianGrid::Boundary::periodic, 1);
  check_halo(CartesianGrid::Boundary::periodic, 2);
}

TEST_CASE("an exchange is finished before the next one is started") {
  const CartesianGrid grid(test::world(), 1, CartesianGrid::Boundary::periodic);
  std::vector<double> data(6, grid.comm().rank());
  HaloExchange halo(grid, std::array<std::size_t, 1>{data.size()}, 1, MPI_DOUBLE);
  halo.finish();  // nothing to wait for
  halo.start(data.data());
  CHECK_THROWS_WITH_AS(halo.start(data.data()), doctest::Contains("finished before"), Error);
  halo.finish();
  CHECK(data.front() == grid.neighbour(0, -1));
  CHECK(data.back() == grid.neighbour(0, 1));
}

TEST_CASE("a block thinner than the ghosts is refused") {
  const CartesianGrid grid(test::world(), 1);
  CHECK_THROWS_AS(HaloExchange(grid, std::array<std::size_t, 1>{2}, 1, MPI_DOUBLE), Error);
  CHECK_THROWS_AS(HaloExchange(grid, std::array<std::size_t, 2>{9, 9}, 1, MPI_DOUBLE), Error);
}

TEST_CASE("two exchanges of a grid do not depend on the order in which they are started") {
  const CartesianGrid grid(test::world(), 1, CartesianGrid::Boundary::periodic);
  const int rank = grid.comm().rank();
  std::vector<double> a(6, rank);
  std::vector<double> b(6, -1.0 - rank);
  const std::array<std::size_t, 1> extent{a.size()};
  HaloExchange of_a(grid, extent, 1, MPI_DOUBLE);
  HaloExchange of_b(grid, extent, 1, MPI_DOUBLE);
  if (rank % 2 == 0) of_a.start(a.data());
  of_b.start(b.data());
  if (rank % 2 == 1) of_a.start(a.data());
  of_a.finish();
  of_b.finish();
  CHECK(a.front() == grid.neighbour(0, -1));
  CHECK(a.back() == grid.neighbour(0, 1));
  CHECK(b.front() == -1.0 - grid.neighbour(0, -1));
  CHECK(b.back() == -1.0 - grid.neighbour(0, 1));
}

TEST_CASE("thousands of exchanges of a grid find tags") {
  const CartesianGrid grid(test::world(), 1, CartesianGrid::Boundary::periodic);
  std::vector<double> data(6, grid.comm().rank());
  for (int i = 0; i < 4001; ++i) {
    HaloExchange halo(grid, std::array{data.size()}, 1, MPI_DOUBLE);
    if (i % 500 >= 2) continue;
    data.front() = data.back() = -1;
    halo.exchange(data.data());
    CHECK(data.front() == grid.neighbour(0, -1));
    CHECK(data.back() == grid.neighbour(0, 1));
  }
}

TEST_CASE("a receive from any source does not see the messages of a halo exchange") {
  const CartesianGrid grid(test::world(), 1, CartesianGrid::Boundary::periodic);
  std::vector<double> data(6, grid.comm().rank());
  HaloExchange halo(grid, std::array{data.size()}, 1, MPI_DOUBLE);
  if (grid.comm().is_root()) halo.start(data.data());
  barrier(grid.comm());
  for (int look = 0; look < 1000 && !grid.comm().is_root(); ++look) {
    int is_there = 0;
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, grid.comm().native(), &is_there, MPI_STATUS_IGNORE);
    CHECK(is_there == 0);
    if (is_there != 0) break;
  }
  if (!grid.comm().is_root()) halo.start(data.data());
  halo.finish();
  CHECK(data.front() == grid.neighbour(0, -1));
}
