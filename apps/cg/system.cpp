#include "system.hpp"

#include <algorithm>
#include <cmath>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "output.hpp"
#include "sparse_rows.hpp"

namespace cairn::cg {

namespace {

/// t (1 - t) at the k-th of n inner points of the unit interval.
double bump(std::uint64_t k, std::uint64_t n) {
  const double t = static_cast<double>(k + 1) / static_cast<double>(n + 1);
  return t * (1.0 - t);
}

/// h² f for u = x (1 - x) y (1 - y).
double poisson_load(std::uint64_t row, std::uint64_t n) {
  const double h = 1.0 / static_cast<double>(n + 1);
  return h * h * 2.0 * (bump(row / n, n) + bump(row % n, n));
}

std::vector<double> product_with_ones(const Communicator& comm, Matrix& matrix) {
  auto ones = together(comm, [&] { return std::vector<double>(matrix.halo().extended(), 1.0); });
  auto product = together(comm, [&] { return std::vector<double>(matrix.local_rows()); });
  matrix.multiply(ones, product);
  return product;
}

std::vector<double> poisson_loads(const Communicator& comm, const Matrix& matrix, std::uint64_t n) {
  return together(comm, [&] {
    std::vector<double> loads(matrix.local_rows());
    for (std::size_t i = 0; i < loads.size(); ++i)
      loads[i] = poisson_load(matrix.first_row() + i, n);
    return loads;
  });
}

/// Gives the system its right-hand side, and the solution where that comes with it.
void add_right_hand_side(const Communicator& comm, const SystemOptions& options, System& system) {
  if (!options.rhs.empty()) {
    system.b = read_vector(comm, system.matrix.partition(), options.rhs);
  } else if (!options.matrix.empty()) {
    system.b = product_with_ones(comm, system.matrix);
    system.solution = [](std::uint64_t) { return 1.0; };
  } else {
    const std::uint64_t n = options.poisson;
    system.b = poisson_loads(comm, system.matrix, n);
    system.solution = [n](std::uint64_t row) { return bump(row / n, n) * bump(row % n, n); };
  }
}

}  // namespace

System load_system(const Communicator& comm, const SystemOptions& options) {
  const bool is_file = !options.matrix.empty();
  auto rows = is_file ? read_matrix(comm, options.matrix) : poisson(comm, options.poisson);
  const auto matrix_hash = fingerprint(comm, rows);
  System system{.name = is_file ? "matrix " + options.matrix.string()
                                : "poisson " + std::to_string(options.poisson),
                .matrix_hash = matrix_hash,
                .matrix = Matrix(comm, std::move(rows)),
                .b = {}};
  add_right_hand_side(comm, options, system);
  system.rhs_hash = fingerprint(comm, system.matrix.first_row(), system.b);
  return system;
}

std::optional<double> distance_to_solution(const Communicator& comm, const System& system,
                                           std::span<const double> x) {
  if (!system.solution) return std::nullopt;
  double largest = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    largest = std::max(largest, std::abs(x[i] - system.solution(system.matrix.first_row() + i)));
  }
  return all_reduce(comm, largest, Maximum{});
}

}  // namespace cairn::cg
