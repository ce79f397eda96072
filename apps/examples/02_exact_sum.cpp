// Sums that do not depend on the number of ranks. A plain MPI_SUM changes its last digits with it;
// an exact sum is the true sum, rounded once.
//
//     mpirun -n 1 02_exact_sum
//     mpirun -n 7 02_exact_sum

#include <cstdio>
#include <vector>

#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/exact_sum.hpp"
#include "cairn/collectives/runtime.hpp"
#include "cairn/core/random.hpp"

int main(int argc, char** argv) {
  const cairn::Runtime runtime(argc, argv);
  const auto& world = runtime.world();

  // The same million numbers, whoever holds them: a random number is a function of its index.
  const auto mine = cairn::block_range(1'000'000, world.size(), world.rank());
  const cairn::Random random(/*seed=*/2024);
  std::vector<double> x(mine.count);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = random.uniform(mine.first + i) - 0.5;

  double plain = 0.0;
  for (const double value : x) plain += value;
  plain = cairn::all_reduce(world, plain);
  const double exact = cairn::exact_sum(world, x);
  const double squares = cairn::exact_dot(world, x, x);

  if (world.is_root()) {
    std::printf("plain sum  %.17g %a\n", plain, plain);
    std::printf("exact sum  %.17g %a\n", exact, exact);
    std::printf("exact x.x  %.17g %a\n", squares, squares);
  }
  return 0;
}
