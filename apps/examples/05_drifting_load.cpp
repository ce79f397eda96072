// A hot spot wanders over cells, which move between ranks to share it: by the time that each has
// taken in the step before. The sum is always the same.
//
//     mpirun -n 4 05_drifting_load --balance none|hilbert|diffusion

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/exact_sum.hpp"
#include "cairn/collectives/runtime.hpp"
#include "cairn/loadbalance/diffusion.hpp"
#include "cairn/loadbalance/hilbert.hpp"
#include "cairn/loadbalance/migrate.hpp"
#include "cairn/loadbalance/repartition.hpp"

using namespace cairn::loadbalance;

/// Of CPU, so that it does not matter who else uses the core.
std::int64_t nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1'000'000'000 * now.tv_sec + now.tv_nsec;
}

int main(int argc, char** argv) {
  const cairn::Runtime runtime(argc, argv);
  const auto& comm = runtime.world();
  const std::string way = argc == 3 && argv[1] == std::string("--balance") ? argv[2] : "";
  if (way != "none" && way != "hilbert" && way != "diffusion")
    return std::fprintf(stderr, "usage: %s --balance none|hilbert|diffusion\n", argv[0]), 64;
  struct Cell {
    double x, y, value;
    std::uint64_t place;  // on Hilbert's curve
  };
  std::vector<Cell> cells;  // this rank's, in the order of the curve
  for (std::uint32_t x = 0; x < 32; ++x)
    for (std::uint32_t y = 0; y < 32; ++y)
      if (const auto place = hilbert_index<2>({x, y}, 5);
          place * comm.size() / 1024 == static_cast<std::uint64_t>(comm.rank()))
        cells.push_back({x + 0.0, y + 0.0, (x + 32 * y + 0.5) / 1024, place});
  std::ranges::sort(cells, {}, &Cell::place);
  // Moves have to pay within two steps; weights are nanoseconds.
  const MovingCost cost{.steps = 2, .seconds_per_weight = 1e-9, .bytes_per_object = sizeof(Cell)};
  double mean = 0, worst = 0;
  std::uint64_t bytes = 0;
  for (int step = 0; step < 20; ++step) {
    std::vector<std::int64_t> weights;
    double load = 0;  // turns of the innermost loop: what is printed is the same on all machines
    for (auto& [x, y, value, place] : cells) {
      const double dx = x - 0.25 * step, dy = y - 0.125 * step;
      const auto turns = 400 + static_cast<int>(80000 / (1 + dx * dx + dy * dy));
      const auto start = nanoseconds();
      for (int i = 0; i < turns; ++i) value = 3.9 * value * (1 - value);
      weights.push_back(nanoseconds() - start);
      load += turns;
    }
    const double imbalance =
        all_reduce(comm, load, cairn::Maximum{}) * comm.size() / all_reduce(comm, load);
    const auto plan = way == "hilbert" ? repartition(comm, weights, cost)
                                       : diffuse(comm, weights, {.rounds = 8, .cost = cost});
    mean += imbalance / 20;
    worst = std::max(worst, imbalance);
    if (way == "none" || !plan.change.moves()) continue;
    bytes += migrate(comm, cells, plan.destinations, [](auto& cell) { return cell.place; }).bytes;
  }
  std::vector<double> values;
  for (const auto& cell : cells) values.push_back(cell.value);
  const double sum = cairn::exact_sum(comm, values);
  if (comm.is_root())
    std::printf("imbalance %.3f, worst %.3f, %lu B/step, sum %a\n", mean, worst, bytes / 20, sum);
}
