// A hot spot wanders over cells, which move between ranks by the time that each has taken: the sum
// is always the same.   mpirun -n 4 05_drifting_load --balance none|hilbert|diffusion

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "cairn/collectives/exact_sum.hpp"
#include "cairn/collectives/runtime.hpp"
#include "cairn/loadbalance/diffusion.hpp"
#include "cairn/loadbalance/hilbert.hpp"
#include "cairn/loadbalance/migrate.hpp"
#include "cairn/loadbalance/repartition.hpp"
#include "cairn/program/cpu_time.hpp"

using namespace cairn::loadbalance;

int main(int argc, char** argv) {
  const cairn::Runtime runtime(argc, argv);
  const auto& comm = runtime.world();
  const std::string way = argc == 3 && argv[1] == std::string("--balance") ? argv[2] : "";
  if (way != "none" && way != "hilbert" && way != "diffusion") {
    if (comm.is_root())
      std::fprintf(stderr, "usage: %s --balance none|hilbert|diffusion\n", argv[0]);
    return 64;
  }
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
  double mean = 0;
  std::uint64_t bytes = 0;
  for (int step = 0; step < 20; ++step) {
    std::vector<std::int64_t> weights;
    for (auto& [x, y, value, place] : cells) {
      const double dx = x - 0.25 * step, dy = y - 0.125 * step;
      const auto turns = 400 + static_cast<int>(80000 / (1 + dx * dx + dy * dy));
      const double start = cairn::program::thread_cpu_seconds();
      for (int i = 0; i < turns; ++i) value = 3.9 * value * (1 - value);
      weights.push_back(static_cast<int>(1e9 * (cairn::program::thread_cpu_seconds() - start)));
    }
    const auto plan = way == "hilbert" ? repartition(comm, weights, cost)
                                       : diffuse(comm, weights, {.rounds = 8, .cost = cost});
    mean += plan.change.imbalance_before() / 20;
    if (way == "none" || !plan.change.moves()) continue;
    bytes += migrate(comm, cells, plan.destinations, [](auto& cell) { return cell.place; }).bytes;
  }
  std::vector<double> values;
  for (const auto& cell : cells) values.push_back(cell.value);
  const double sum = cairn::exact_sum(comm, values);
  if (comm.is_root()) std::printf("imbalance %.3f, %lu B/step, sum %a\n", mean, bytes / 20, sum);
}
