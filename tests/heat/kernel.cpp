#include "kernel.hpp"

#include <omp.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "cairn/core/error.hpp"
#include "mpi_test.hpp"
#include "twin.hpp"

using namespace cairn;
using namespace cairn::heat;

TEST_CASE("a row of any length and alignment has the bits of the formula") {
  const auto plate = heat::test::rough_plate(20);  // 400 numbers, of which rows are cut
  for (std::size_t count = 0; count < 70; ++count) {
    for (std::size_t shift = 1; shift < 9; ++shift) {
      const double* north = plate.data() + shift;
      const double* row = north + 100;
      const double* south = row + 100;
      std::vector<double> out(count + 2, -7.0);
      sweep_row(north, row, south, out.data() + 1, count);
      CHECK(out.front() == -7.0);
      CHECK(out.back() == -7.0);
      for (std::size_t j = 0; j < count; ++j) {
        const double around = (north[j] + south[j]) + (row[j - 1] + row[j + 1]);
        CHECK(out[j + 1] == row[j] + mesh_ratio * (around - 4.0 * row[j]));
      }
    }
  }
}

TEST_CASE("steps have the bits of the plain twin, for any blocks and threads") {
  const auto& world = cairn::test::world();
  for (const int threads : {1, 2, 3}) {
    omp_set_num_threads(threads);
    for (const int n :
         {world.size(), world.size() + 1, 2 * world.size(), 3 * world.size() + 1, 40}) {
      const auto side = static_cast<std::size_t>(n);
      auto plate = heat::test::rough_plate(side);
      Field field(world, n);
      heat::test::fill(field, [&](std::size_t i, std::size_t j) { return plate[i * side + j]; });
      Stepper stepper(field);
      for (int s = 0; s < 6; ++s) {
        stepper.step();
        plate = heat::test::step(plate, side);
      }
      CHECK(heat::test::differences(field, plate) == 0);
    }
  }
}

TEST_CASE("the slowest mode decays as the difference scheme's closed form says") {
  constexpr int n = 49;
  constexpr int steps = 200;
  Field field(cairn::test::world(), n);
  const auto sine = sine_of_axis(n);
  heat::test::fill(field, [&](std::size_t i, std::size_t j) { return sine[i] * sine[j]; });
  Stepper stepper(field);
  for (int s = 0; s < steps; ++s) stepper.step();

  // sin(πx) sin(πy) is an eigenvector of the five-point Laplacian, eigenvalue -8 sin²(πh/2) / h².
  const double s = std::sin(0.5 * std::numbers::pi * field.h());
  const double decay = std::pow(1.0 - 8.0 * mesh_ratio * s * s, steps);
  double worst = 0.0;
  for (std::size_t i = 0; i < field.rows().count; ++i) {
    for (std::size_t j = 0; j < field.columns().count; ++j) {
      const double expected =
          decay * sine[field.rows().first + i] * sine[field.columns().first + j];
      worst = std::max(worst, std::abs(field.row(i)[j] / expected - 1.0));
    }
  }
  CHECK(worst < 1e-12);
}

TEST_CASE("a size that does not suit the ranks is refused on all of them") {
  const auto& world = cairn::test::world();
  const auto code_of = [&](int n) {
    try {
      const Field field(world, n);
    } catch (const Error& error) {
      CHECK(error.agreed());
      return error.exit_code();
    }
    return 0;
  };
  CHECK(code_of(0) == 64);
  CHECK(code_of(-1) == 64);
  const CartesianGrid grid(world, 2);
  CHECK(code_of(grid.dims(0)) == 0);
  if (grid.dims(0) > 1) CHECK(code_of(grid.dims(0) - 1) == 64);
}
