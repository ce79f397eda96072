// Exact sums against the plain loop and an all_reduce of one double, whose result depends on order
// and ranks. No target: the price of exactness is reported.

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "benchmark.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/exact_sum.hpp"
#include "cairn/core/random.hpp"

namespace cairn::bench {

namespace {

constexpr std::size_t sizes[] = {1, 1024, 1048576};

std::vector<double> uniform_terms(std::uint64_t stream, std::size_t n) {
  const Random random(1, stream);
  std::vector<double> terms(n);
  for (std::size_t i = 0; i < n; ++i) terms[i] = random.uniform(i) - 0.5;
  return terms;
}

double plain_sum(const Communicator& comm, const std::vector<double>& terms) {
  double sum = 0.0;
  for (const double x : terms) sum += x;
  return all_reduce(comm, sum);
}

double plain_dot(const Communicator& comm, const std::vector<double>& a,
                 const std::vector<double>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return all_reduce(comm, sum);
}

std::vector<Row> measure(Context& context) {
  const auto& comm = context.world;
  std::vector<Row> rows;
  for (const auto n : sizes) {
    const auto a = uniform_terms(0, n);
    const auto b = uniform_terms(1, n);
    const Parameters parameters{{"terms", static_cast<std::int64_t>(n)}, {"ranks", comm.size()}};
    rows.push_back(
        {"exact.sum", parameters,
         compare(
             context, [&] { use(exact_sum(comm, a)); }, [&] { use(plain_sum(comm, a)); }),
         std::nullopt});
    rows.push_back(
        {"exact.dot", parameters,
         compare(
             context, [&] { use(exact_dot(comm, a, b)); }, [&] { use(plain_dot(comm, a, b)); }),
         std::nullopt});
  }
  return rows;
}

const Benchmark registered{"exact", "exact sums and dot products against plain loops", measure};

}  // namespace

}  // namespace cairn::bench
