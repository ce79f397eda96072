#include "solver.hpp"

#include <omp.h>

#include <Eigen/SparseCholesky>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "cairn/ckpt/stream.hpp"
#include "output.hpp"
#include "system.hpp"
#include "twin.hpp"

using namespace cairn;
using namespace cairn::cg;
using cairn::cg::test::Twin;

namespace {

/// Ranks outnumber the cores here: threads that wait for each other would wait for long.
const Communicator& with_threads(int threads, const Communicator& comm) {
  omp_set_num_threads(threads);
  return comm;
}

/// A twin dealt to the ranks, and its solver.
struct Problem {
  Problem(const Communicator& with, const Twin& twin, const std::vector<double>& b,
          const SolverOptions& options)
      : comm(with),
        matrix(with_threads(1, comm), cg::test::dealt(comm, twin)),
        solver(comm, matrix, cg::test::part_of(b, matrix.partition(), comm.rank()), options) {}

  void run_until(std::uint64_t iteration) {
    while (solver.status() == Status::going && solver.iterations() < iteration) solver.step();
  }
  [[nodiscard]] std::string digest(std::span<const double> part) const {
    return ckpt::digest(comm, part, block_of(matrix.partition(), comm.rank()));
  }
  /// Everything that a checkpoint holds, and how far it is.
  [[nodiscard]] std::string bits() {
    auto& state = solver.state();
    std::string text = digest(state.x) + digest(state.r) + digest(matrix.halo().own_part(state.p)) +
                       std::to_string(solver.iterations()) +
                       std::to_string(static_cast<int>(state.status));
    for (const double value : {state.rz, state.rr, state.verified_rr})
      text += std::to_string(std::bit_cast<std::uint64_t>(value)) + " ";
    return text;
  }

  const Communicator& comm;
  Matrix matrix;
  ConjugateGradient solver;
};

constexpr std::uint64_t to_the_end = std::numeric_limits<std::uint64_t>::max();

std::vector<double> solve_directly(const Twin& twin, const std::vector<double>& b) {
  std::vector<Eigen::Triplet<double>> triplets;
  for (const auto& [place, value] : twin.entries) {
    triplets.emplace_back(static_cast<int>(place.first), static_cast<int>(place.second), value);
  }
  const auto n = static_cast<Eigen::Index>(twin.n);
  Eigen::SparseMatrix<double> matrix(n, n);
  matrix.setFromTriplets(triplets.begin(), triplets.end());
  const Eigen::SimplicialLDLT<Eigen::SparseMatrix<double>> direct(matrix);
  CHECK(direct.info() == Eigen::Success);
  const Eigen::VectorXd x = direct.solve(Eigen::Map<const Eigen::VectorXd>(b.data(), n));
  return {x.begin(), x.end()};
}

Error error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  return {Errc::internal, "nothing was thrown"};
}

}  // namespace

TEST_CASE("the solution is that of Eigen's direct solver") {
  for (const std::uint64_t n : {1, 2, 10, 300}) {
    const auto twin = cg::test::rough_twin(n, 4, n);
    const auto b = cg::test::rough_vector(n, 3);
    const auto expected = solve_directly(twin, b);
    double scale = 0;
    for (const double value : expected) scale = std::max(scale, std::abs(value));
    for (const auto preconditioner : {Preconditioner::none, Preconditioner::jacobi}) {
      Problem problem(cairn::test::world(), twin, b,
                      {.tolerance = 1e-12, .preconditioner = preconditioner});
      problem.solver.start();
      problem.run_until(to_the_end);
      CHECK(problem.solver.status() == Status::converged);
      const auto first = problem.matrix.first_row();
      const auto& x = problem.solver.state().x;
      double worst = 0;
      for (std::size_t i = 0; i < x.size(); ++i)
        worst = std::max(worst, std::abs(x[i] - expected[first + i]));
      CHECK(worst <= 1e-8 * scale);
      CHECK(problem.solver.true_residual() <= 1e-12);
      CHECK(problem.solver.residual() == problem.solver.true_residual());
    }
  }
}

TEST_CASE("every iteration has the same bits on any ranks and threads, also when it is resumed") {
  const auto twin = cg::test::rough_twin(150, 5, 8);
  const auto b = cg::test::rough_vector(150, 5);
  for (const auto preconditioner : {Preconditioner::none, Preconditioner::jacobi}) {
    const SolverOptions options{.tolerance = 1e-13, .preconditioner = preconditioner};
    const auto& comm = cairn::test::world();
    const auto self = comm.split(comm.rank());
    std::vector<std::string> expected;
    Problem alone(self, twin, b, options);
    alone.solver.start();
    for (std::uint64_t i = 0; alone.solver.status() == Status::going; ++i) {
      expected.push_back(alone.bits());
      alone.run_until(i + 1);
    }
    expected.push_back(alone.bits());
    CHECK(expected.size() > 10);
    Problem problem(comm, twin, b, options);
    with_threads(comm.size() <= 2 ? 2 : 1, comm);
    problem.solver.start();
    for (std::uint64_t i = 0; i < expected.size(); ++i) {
      problem.run_until(i);
      CHECK(problem.bits() == expected[i]);
      if (i % 20 != 3 && i + 1 != expected.size()) continue;
      Problem resumed(comm, twin, b, options);  // on one thread from here
      resumed.solver.state() = problem.solver.state();
      std::fill(resumed.solver.state().p.begin(), resumed.solver.state().p.end(), NAN);
      const auto p = problem.matrix.halo().own_part(problem.solver.state().p);
      std::copy(p.begin(), p.end(),
                resumed.matrix.halo().own_part(resumed.solver.state().p).begin());
      resumed.solver.resume(i);
      resumed.run_until(to_the_end);
      CHECK(resumed.bits() == expected.back());
    }
  }
}

TEST_CASE("a resumed solver obeys its own tolerance") {
  const auto twin = cg::test::rough_twin(80, 4, 8);
  const auto b = cg::test::rough_vector(80, 5);
  Problem loose(cairn::test::world(), twin, b, {.tolerance = 1e-3});
  loose.solver.start();
  loose.run_until(to_the_end);
  CHECK(loose.solver.status() == Status::converged);

  Problem tight(cairn::test::world(), twin, b, {.tolerance = 1e-11});
  tight.solver.state() = loose.solver.state();
  tight.solver.resume(loose.solver.iterations());
  CHECK(tight.solver.status() == Status::going);
  tight.run_until(to_the_end);
  CHECK(tight.solver.status() == Status::converged);
  CHECK(tight.solver.iterations() > loose.solver.iterations());
  CHECK(tight.solver.true_residual() <= 1e-11);

  Problem looser(cairn::test::world(), twin, b, {.tolerance = 1e-2});
  looser.solver.state() = loose.solver.state();
  looser.solver.resume(loose.solver.iterations());
  CHECK(looser.solver.status() == Status::converged);
  CHECK(looser.solver.iterations() == loose.solver.iterations());
}

TEST_CASE("what rounding does not allow stagnates, and says how good it is") {
  // Condition 1e12: the residual cannot become 1e-17 of b.
  Twin twin{30, {}};
  for (std::uint64_t i = 0; i < 30; ++i) {
    twin.entries[{i, i}] = std::pow(10.0, static_cast<double>(i) * 0.4) * 2.0;
    if (i == 0) continue;
    const double coupling = std::pow(10.0, static_cast<double>(i - 1) * 0.4) * 0.9;
    twin.entries[{i, i - 1}] = coupling;
    twin.entries[{i - 1, i}] = coupling;
  }
  const auto b = cg::test::rough_vector(30, 5);
  Problem problem(cairn::test::world(), twin, b, {.tolerance = 1e-17});
  problem.solver.start();
  problem.run_until(100000);
  CHECK(problem.solver.status() == Status::stagnated);
  CHECK(problem.solver.true_residual() > 1e-17);
  CHECK(problem.solver.true_residual() < 1e-6);
  const auto iterations = problem.solver.iterations();
  const auto bits = problem.bits();
  problem.solver.resume(iterations);
  CHECK(problem.bits() == bits);
}

TEST_CASE("a right-hand side of zeros needs no iteration") {
  const auto twin = cg::test::rough_twin(20, 3, 8);
  Problem problem(cairn::test::world(), twin, std::vector<double>(20, 0.0), {});
  problem.solver.start();
  CHECK(problem.solver.status() == Status::converged);
  CHECK(problem.solver.residual() == 0.0);
  CHECK(problem.solver.true_residual() == 0.0);
  for (const double x : problem.solver.state().x) CHECK(x == 0.0);
}

TEST_CASE("a matrix that is not positive definite is found out, on all ranks alike") {
  Twin twin{20, {}};
  for (std::uint64_t i = 0; i < 20; ++i) {
    twin.entries[{i, i}] = 1.0;
    twin.entries[{i, 19 - i}] = 3.0;  // eigenvalues 4 and -2
  }
  const auto error = error_of([&] {
    Problem problem(cairn::test::world(), twin, cg::test::rough_vector(20, 1), {});
    problem.solver.start();
    problem.run_until(100);
  });
  CHECK(error.agreed());
  CHECK(error.code() == Errc::bad_data);
  CHECK(std::string(error.what()).find("not positive definite") != std::string::npos);
}

TEST_CASE("numbers beyond the range of double are an error, not a wrong answer") {
  const auto twin = cg::test::rough_twin(20, 3, 8);
  const auto message = [&](const Twin& matrix, double b_scale) {
    const SolverOptions options{.preconditioner = Preconditioner::none};
    auto b = cg::test::rough_vector(20, 1);
    for (double& value : b) value *= b_scale;
    const auto error = error_of([&] {
      Problem problem(cairn::test::world(), matrix, b, options);
      problem.solver.start();
      problem.run_until(100);
    });
    return error.agreed() && error.code() == Errc::bad_data ? std::string(error.what()) : "";
  };
  CHECK(message(twin, 1e200).find("right-hand side") != std::string::npos);
  CHECK(message(twin, 1e-200).find("right-hand side") != std::string::npos);
  const Twin tiny{1, {{{0, 0}, 1e-170}}};
  CHECK(message(tiny, 1e-100).find("underflows") != std::string::npos);
  auto huge = twin;
  for (auto& [place, value] : huge.entries) value *= 1e307;
  CHECK(message(huge, 1e140).find("leave the range of double") != std::string::npos);
}

TEST_CASE("a small right-hand side is solved as any other, or refused") {
  const auto twin = cg::test::rough_twin(20, 4, 8);
  const auto b = cg::test::rough_vector(20, 5);
  Problem plain(cairn::test::world(), twin, b, {.tolerance = 1e-12});
  plain.solver.start();
  plain.run_until(to_the_end);
  const auto scaled = [&](double scale) {
    auto small = b;
    for (double& value : small) value *= scale;
    return small;
  };
  const double scale = 0x1p-460;
  Problem small(cairn::test::world(), twin, scaled(scale), {.tolerance = 1e-12});
  small.solver.start();
  small.run_until(to_the_end);
  CHECK(small.solver.status() == Status::converged);
  CHECK(small.solver.iterations() == plain.solver.iterations());
  CHECK(small.solver.true_residual() == plain.solver.true_residual());
  const auto& x = plain.solver.state().x;
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(small.solver.state().x[i] == scale * x[i]);

  // From where the square of a residual above the tolerance can underflow.
  for (const auto& [factor, tolerance] : {std::pair(1e-161, 1e-8), {1e-158, 1e-8}, {1e-150, 1e-13}})
    CHECK(error_of([&] {
            Problem problem(cairn::test::world(), twin, scaled(factor), {.tolerance = tolerance});
          }).code() == Errc::bad_data);
}

TEST_CASE("a residual whose square underflows is not 0") {
  Twin identity{16, {}};
  for (std::uint64_t i = 0; i < 16; ++i) identity.entries[{i, i}] = 1.0;
  const double entry = 0x1p-490;
  Problem problem(cairn::test::world(), identity, std::vector<double>(16, entry),
                  {.tolerance = 1e-3});
  auto& state = problem.solver.state();
  for (double& value : state.x) value = std::nextafter(entry, 1.0);
  for (double& value : state.r) value = -0x1p-542;
  state.rr = 0.0;  // 2^-1080 is no double
  CHECK(problem.solver.true_residual() == 0x1p-52);
  state.status = Status::converged;
  problem.solver.resume(1);
  CHECK(problem.solver.residual() == 0x1p-52);
  CHECK(problem.solver.status() == Status::converged);
}

TEST_CASE("the model problem has its closed form as solution") {
  const auto& world = cairn::test::world();
  for (const std::uint64_t n : {1, 2, 9, 40}) {
    auto system = load_system(with_threads(1, world), {.matrix = {}, .poisson = n, .rhs = {}});
    const auto b = system.b;
    ConjugateGradient solver(world, system.matrix, b, {.tolerance = 1e-13});
    solver.start();
    while (solver.status() == Status::going) solver.step();
    CHECK(solver.status() == Status::converged);
    const auto distance = distance_to_solution(world, system, solver.state().x);
    CHECK(distance);
    CHECK(distance.value_or(1) < 1e-13);
    auto moved = solver.state().x;
    if (world.rank() == world.size() - 1 && !moved.empty()) moved.back() += 0.5;
    if (n * n >= static_cast<std::uint64_t>(world.size()))
      CHECK(distance_to_solution(world, system, moved).value_or(0) == doctest::Approx(0.5));
  }
}
