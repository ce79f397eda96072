// Heat stepping against the loop that one would write without the library: the same scheme, OpenMP
// over rows, one process, no halo. Both start from the same field.

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "../heat/kernel.hpp"
#include "benchmark.hpp"

namespace cairn::bench {

namespace {

constexpr int sizes[] = {256, 1024, 4096};
constexpr double target = 1.25;

/// n × n points in a frame of zeros.
struct PlainHeat {
  std::size_t n;
  std::vector<double> u = std::vector<double>((n + 2) * (n + 2), 0.0);
  std::vector<double> next = u;

  void step() {
    const std::size_t stride = n + 2;
    const double* from = u.data();
    double* to = next.data();
#pragma omp parallel for schedule(static)
    for (std::size_t i = 1; i <= n; ++i) {
      for (std::size_t j = 1; j <= n; ++j) {
        const std::size_t at = i * stride + j;
        const double around =
            (from[at - stride] + from[at + stride]) + (from[at - 1] + from[at + 1]);
        to[at] = from[at] + 0.2 * (around - 4.0 * from[at]);
      }
    }
    std::swap(u, next);
  }
};

std::vector<Row> measure(Context& context) {
  const Communicator self(MPI_COMM_SELF, "cairn.bench.heat");
  std::vector<Row> rows;
  for (const int size : sizes) {
    const auto n = static_cast<std::size_t>(size);
    heat::Field field(self, size);
    PlainHeat plain{n};
    const auto sine = heat::sine_of_axis(n);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        field.row(i)[j] = sine[i] * sine[j];
        plain.u[(i + 1) * (n + 2) + j + 1] = sine[i] * sine[j];
      }
    }
    heat::Stepper stepper(field);
    const auto seconds = compare(
        context, [&] { stepper.step(); }, [&] { plain.step(); });
    use(field.now[field.index(0)] + plain.u[n + 3]);
    rows.push_back({"heat.step",
                    {{"size", size},
                     {"threads", context.threads},
                     {"cells_per_second",
                      static_cast<std::int64_t>(static_cast<double>(n * n) / seconds.ours)}},
                    seconds,
                    target});
  }
  return rows;
}

const Benchmark registered{"heat", "a heat step against a plain OpenMP loop", measure};

}  // namespace

}  // namespace cairn::bench
