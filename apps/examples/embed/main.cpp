// An MPI code that existed before Cairn: it keeps its MPI_Init, its communicator and its loops. The
// lines that end in "// new" are what using Cairn adds: sums whose bits do not depend on the ranks.
#include <mpi.h>

#include <cmath>
#include <cstdio>
#include <vector>

#include "cairn/collectives/collective.hpp"  // new
#include "cairn/collectives/exact_sum.hpp"   // new

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0;
  int size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);

  constexpr long n = 1'000'000;
  std::vector<double> squares;
  for (long i = n * rank / size; i < n * (rank + 1) / size; ++i) {
    const double x = std::sin(0.001 * static_cast<double>(i));
    squares.push_back(x * x);
  }
  {
    const cairn::Communicator comm(MPI_COMM_WORLD);                                    // new
    const double sum = cairn::exact_sum(comm, squares);                                // new
    const long most = cairn::all_reduce(comm, std::ssize(squares), cairn::Maximum{});  // new
    if (rank == 0) std::printf("rms %a, at most %ld values a rank\n", std::sqrt(sum / n), most);
  }  // the communicator goes before MPI does
  MPI_Finalize();
  return 0;
}
