// The smallest program: start MPI, let the ranks add something up, say the result once.
//
//     mpirun -n 4 01_hello

#include <iostream>

#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/runtime.hpp"

int main(int argc, char** argv) {
  const cairn::Runtime runtime(argc, argv);  // MPI_Init now, MPI_Finalize at the end of main
  const auto& world = runtime.world();

  const int sum = cairn::all_reduce(world, world.rank() + 1);
  const int highest = cairn::all_reduce(world, world.rank(), cairn::Maximum{});

  if (world.is_root()) {
    std::cout << "hello from " << world.size() << " ranks: 1 + … + " << highest + 1 << " = " << sum
              << '\n';
  }
  return 0;
}
