// Exact sums against what is fast and depends on order and ranks: a plain loop or Eigen, and an
// all_reduce of doubles.

#include <Eigen/Core>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "benchmark.hpp"
#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/exact_sum.hpp"
#include "cairn/core/random.hpp"

namespace cairn::bench {

namespace {

constexpr std::size_t sizes[] = {1, 1024, 1048576};

/// Far more than the caches hold.
constexpr std::size_t many = 10'000'000;
constexpr double most_on_one_thread = 1.6;
constexpr double most_on_more_threads = 1.3;

std::vector<double> uniform_terms(std::uint64_t stream, std::size_t n) {
  const Random random(1, stream);
  std::vector<double> terms(n);
  for (std::size_t i = 0; i < n; ++i) terms[i] = random.uniform(i) - 0.5;
  return terms;
}

/// `period` terms, over and over.
std::vector<double> repeated_terms(std::uint64_t stream, std::size_t n, std::size_t period) {
  const auto some = uniform_terms(stream, period);
  std::vector<double> terms(n);
  for (std::size_t i = 0; i < n; ++i) terms[i] = some[i % period];
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

using View = Eigen::Map<const Eigen::VectorXd>;

/// The sum of part(first, count) over the threads' parts of `many`.
template <typename Part>
double on_threads(int threads, const Part& part) {
  double sum = 0.0;
#pragma omp parallel for num_threads(threads) reduction(+ : sum) schedule(static) if (threads > 1)
  for (int t = 0; t < threads; ++t) {
    const auto range = block_range(many, threads, t);
    sum += part(static_cast<Eigen::Index>(range.first), static_cast<Eigen::Index>(range.count));
  }
  return sum;
}

double eigen_sum(const Communicator& comm, const View& x, int threads) {
  return all_reduce(comm, on_threads(threads, [&](Eigen::Index first, Eigen::Index count) {
                      return x.segment(first, count).sum();
                    }));
}

double eigen_dot(const Communicator& comm, const View& a, const View& b, int threads) {
  return all_reduce(comm, on_threads(threads, [&](Eigen::Index first, Eigen::Index count) {
                      return a.segment(first, count).dot(b.segment(first, count));
                    }));
}

double eigen_norm(const Communicator& comm, const View& x, int threads) {
  return std::sqrt(eigen_dot(comm, x, x, threads));
}

View view_of(const std::vector<double>& x) {
  return {x.data(), static_cast<Eigen::Index>(x.size())};
}

/// Small and middling sizes on one thread, against plain loops.
void measure_sizes(Context& context, std::vector<Row>& rows) {
  const auto& comm = context.world;
  const ExactOptions one{.threads = 1};
  for (const auto n : sizes) {
    const auto a = uniform_terms(0, n);
    const auto b = uniform_terms(1, n);
    const Parameters parameters{{"terms", static_cast<std::int64_t>(n)}, {"ranks", comm.size()}};
    const auto row = [&](const char* name, auto&& ours, auto&& baseline) {
      rows.push_back({name, parameters, compare(context, ours, baseline), std::nullopt});
    };
    row(
        "exact.sum", [&] { use(exact_sum(comm, a, one)); }, [&] { use(plain_sum(comm, a)); });
    row(
        "exact.dot", [&] { use(exact_dot(comm, a, b, one)); }, [&] { use(plain_dot(comm, a, b)); });
  }
}

/// Vectors from memory, against Eigen on as many threads.
void measure_memory(Context& context, const std::vector<double>& a, const std::vector<double>& b,
                    int threads, std::vector<Row>& rows) {
  const auto& comm = context.world;
  const View x = view_of(a);
  const View y = view_of(b);
  const ExactOptions options{.threads = threads};
  const Parameters parameters{
      {"terms", static_cast<std::int64_t>(many)}, {"ranks", comm.size()}, {"threads", threads}};
  const auto row = [&](const char* name, std::optional<double> target, auto&& ours,
                       auto&& baseline) {
    rows.push_back({name, parameters, compare(context, ours, baseline), target});
  };
  row(
      "exact.dot-eigen", threads == 1 ? most_on_one_thread : most_on_more_threads,
      [&] { use(exact_dot(comm, a, b, options)); }, [&] { use(eigen_dot(comm, x, y, threads)); });
  row(
      "exact.sum-eigen", std::nullopt, [&] { use(exact_sum(comm, a, options)); },
      [&] { use(eigen_sum(comm, x, threads)); });
  row(
      "exact.norm-eigen", std::nullopt, [&] { use(exact_norm(comm, a, options)); },
      [&] { use(eigen_norm(comm, x, threads)); });
}

/// A vector of sums over ranks, against MPI's.
void measure_elements(Context& context, std::vector<Row>& rows) {
  const auto& comm = context.world;
  for (const std::size_t m : {1u, 1024u, 65536u}) {
    const auto in = uniform_terms(0, m);
    std::vector<double> out(m);
    const Parameters parameters{{"elements", static_cast<std::int64_t>(m)}, {"ranks", comm.size()}};
    const auto plain = [&] {
      out = in;
      all_reduce(comm, std::span<double>(out));
    };
    rows.push_back({"exact.sums", parameters,
                    compare(
                        context, [&] { exact_sums(comm, in, out); }, plain),
                    std::nullopt});
  }
}

std::vector<Row> measure(Context& context) {
  std::vector<Row> rows;
  measure_sizes(context, rows);
  const auto a = repeated_terms(0, many, 65536);
  const auto b = repeated_terms(1, many, 65521);  // so that no product comes twice
  measure_memory(context, a, b, 1, rows);
  if (context.threads > 1) measure_memory(context, a, b, context.threads, rows);
  measure_elements(context, rows);
  return rows;
}

const Benchmark registered{"exact", "exact sums, dot products and norms against Eigen and loops",
                           measure};

}  // namespace

}  // namespace cairn::bench
