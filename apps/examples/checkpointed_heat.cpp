// Heat on a square plate in plain MPI: blocks of rows, one ghost row on either side, explicit
// scheme. Beside it stands checkpointed_heat.cpp: the same program and five lines more.
//
//     mpirun -n 4 plain_heat SIZE STEPS OUTPUT

#include <mpi.h>

#include <cairn/ckpt/checkpointer.hpp>
#include <cairn/core/error.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>
#include <vector>

int main(int argc, char** argv) try {
  MPI_Init(&argc, &argv);
  int rank = 0;
  int ranks = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  if (argc != 4 || std::atol(argv[1]) < ranks) {
    if (rank == 0) std::fprintf(stderr, "usage: %s SIZE STEPS OUTPUT, a row a rank\n", argv[0]);
    MPI_Finalize();
    return 64;
  }
  const std::size_t n = std::strtoul(argv[1], nullptr, 10);
  const std::uint64_t steps = std::strtoul(argv[2], nullptr, 10);

  // This rank's rows [first, first + rows) of n x n points, inside a frame of ghosts and boundary.
  const std::size_t me = static_cast<std::size_t>(rank);
  const std::size_t first = n * me / static_cast<std::size_t>(ranks);
  const std::size_t rows = n * (me + 1) / static_cast<std::size_t>(ranks) - first;
  const std::size_t stride = n + 2;
  std::vector<double> u((rows + 2) * stride, 0.0);
  std::vector<double> next(u.size(), 0.0);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      const bool hot = (first + i) / 16 % 3 == 0 && j / 16 % 4 == 0;
      u[(i + 1) * stride + j + 1] = hot ? 1.0 : 0.0;
    }
  }

  const int above = rank > 0 ? rank - 1 : MPI_PROC_NULL;
  const int below = rank + 1 < ranks ? rank + 1 : MPI_PROC_NULL;
  const int width = static_cast<int>(stride);
  std::uint64_t step = 0;
  cairn::ckpt::Checkpointer ckpt(MPI_COMM_WORLD, {.directory = "ckpt", .every = 100});
  ckpt.field("u", u, {.global = {n, n}, .offset = {first, 0}, .count = {rows, n}, .ghosts = 1});
  step = ckpt.restore().value_or(0);
  while (step < steps) {
    MPI_Sendrecv(&u[stride], width, MPI_DOUBLE, above, 0, &u[(rows + 1) * stride], width,
                 MPI_DOUBLE, below, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Sendrecv(&u[rows * stride], width, MPI_DOUBLE, below, 0, &u[0], width, MPI_DOUBLE, above, 0,
                 MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    for (std::size_t i = 1; i <= rows; ++i) {
      for (std::size_t j = 1; j <= n; ++j) {
        const std::size_t at = i * stride + j;
        const double around = (u[at - stride] + u[at + stride]) + (u[at - 1] + u[at + 1]);
        next[at] = u[at] + 0.2 * (around - 4.0 * u[at]);
      }
    }
    std::swap(u, next);
    ++step;
    if (ckpt.due(step)) ckpt.save(step);
  }

  // The field as raw doubles, row after row.
  MPI_File file = MPI_FILE_NULL;
  const int mode = MPI_MODE_CREATE | MPI_MODE_WRONLY;
  if (MPI_File_open(MPI_COMM_WORLD, argv[3], mode, MPI_INFO_NULL, &file) != MPI_SUCCESS) {
    MPI_Abort(MPI_COMM_WORLD, 74);
  }
  for (std::size_t i = 0; i < rows; ++i) {
    const auto offset =
        static_cast<MPI_Offset>(sizeof(double)) * static_cast<MPI_Offset>((first + i) * n);
    MPI_File_write_at(file, offset, &u[(i + 1) * stride + 1], static_cast<int>(n), MPI_DOUBLE,
                      MPI_STATUS_IGNORE);
  }
  MPI_File_close(&file);
  MPI_Finalize();
  return 0;
} catch (const cairn::Error& error) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (rank == 0 || !error.agreed()) std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
  if (!error.agreed()) MPI_Abort(MPI_COMM_WORLD, error.exit_code());  // of this rank alone
  return MPI_Finalize(), error.exit_code();
} catch (const std::exception& error) {  // of this rank alone: no memory
  std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
  return MPI_Abort(MPI_COMM_WORLD, 70);
}
