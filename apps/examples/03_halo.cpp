// A 2-D array cut into blocks, one a rank, each with a layer of ghost cells that an exchange fills
// from the neighbours. Averages each cell with its four neighbours, around a torus.
//
//     mpirun -n 4 03_halo

#include <array>
#include <cstdio>
#include <vector>

#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/exact_sum.hpp"
#include "cairn/collectives/runtime.hpp"

int main(int argc, char** argv) {
  const cairn::Runtime runtime(argc, argv);
  constexpr std::size_t n = 60;
  const cairn::CartesianGrid grid(runtime.world(), 2, cairn::CartesianGrid::Boundary::periodic);
  const auto rows = grid.range(n, 0);
  const auto columns = grid.range(n, 1);

  const std::size_t stride = columns.count + 2;
  const std::array extent{rows.count + 2, stride};
  std::vector<double> u(extent[0] * stride);
  for (std::size_t i = 0; i < rows.count; ++i) {
    for (std::size_t j = 0; j < columns.count; ++j) {
      u[(i + 1) * stride + j + 1] = static_cast<double>((rows.first + i) * n + columns.first + j);
    }
  }

  cairn::HaloExchange halo(grid, extent, /*width=*/1, MPI_DOUBLE);
  halo.exchange(u.data());

  std::vector<double> averages;
  for (std::size_t i = 1; i <= rows.count; ++i) {
    for (std::size_t j = 1; j <= columns.count; ++j) {
      const std::size_t at = i * stride + j;
      averages.push_back(0.25 * (u[at - stride] + u[at + stride] + u[at - 1] + u[at + 1]));
    }
  }
  // Averaging on a torus keeps the sum: 0 + 1 + … + (n² - 1).
  const double sum = cairn::exact_sum(runtime.world(), averages);
  if (runtime.world().is_root()) {
    std::printf("%d x %d ranks, sum of averages %.1f, expected %.1f\n", grid.dims(0), grid.dims(1),
                sum, 0.5 * static_cast<double>(n * n) * static_cast<double>(n * n - 1));
  }
  return 0;
}
