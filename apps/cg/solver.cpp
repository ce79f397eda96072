#include "solver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/exact_sum.hpp"

namespace cairn::cg {

namespace {

/// The least ‖b‖ · tolerance: the square of a greater residual is a normal double.
constexpr double smallest_goal = 1e-153;

/// Calls work(i) for every local row, on all threads.
template <typename Work>
void for_each_row(std::size_t rows, Work&& work) {
  const auto count = static_cast<std::ptrdiff_t>(rows);
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t i = 0; i < count; ++i) work(static_cast<std::size_t>(i));
}

/// ‖v‖, of which `vv` is the square, rounded: from a square that has underflowed or overflowed the
/// root would be wrong.
double norm_of(const Communicator& comm, std::span<const double> v, double vv) {
  return std::isnormal(vv) ? std::sqrt(vv) : exact_norm(comm, v);
}

/// The same on all ranks, hence an agreed error without a collective.
[[noreturn]] void refuse(const std::string& why) {
  Error error(Errc::bad_data, why);
  error.mark_agreed();
  throw error;
}

}  // namespace

ConjugateGradient::ConjugateGradient(const Communicator& comm, Matrix& matrix,
                                     std::vector<double> b, const SolverOptions& options)
    : comm_(comm), matrix_(matrix), options_(options), b_(std::move(b)) {
  together(comm, [&] {
    const std::size_t rows = matrix.local_rows();
    expects(b_.size() == rows, "a right-hand side of this rank's rows");
    state_.x.resize(rows);
    state_.r.resize(rows);
    work_.resize(rows);
    state_.p.resize(matrix.halo().extended());
    extended_.resize(matrix.halo().extended());
    if (options.preconditioner == Preconditioner::none) return;
    for (const double entry : matrix.diagonal()) inverse_diagonal_.push_back(1.0 / entry);
  });
  const double bb = exact_dot(comm, b_, b_);
  b_norm_ = norm_of(comm, b_, bb);
  if (!std::isfinite(bb))
    refuse("the square of the norm of the right-hand side is no double; scale it");
  if (b_norm_ != 0.0 && b_norm_ * options.tolerance < smallest_goal) {
    refuse(fmt::format(
        "the norm of the right-hand side is {:.3g}, and its product with --tolerance {} "
        "so small that its square underflows; scale the right-hand side, or ask for less",
        b_norm_, options.tolerance));
  }
}

void ConjugateGradient::start() {
  std::fill(state_.x.begin(), state_.x.end(), 0.0);
  iterations_ = 0;
  state_.status = Status::going;
  state_.verified_rr = std::numeric_limits<double>::infinity();
  settle();
}

void ConjugateGradient::resume(std::uint64_t iterations) {
  iterations_ = iterations;
  r_norm_ = norm_of(comm_, state_.r, state_.rr);
  if (is_small_enough()) {
    settle();
  } else if (state_.status == Status::converged) {  // to a larger tolerance
    state_.status = Status::going;
  }
}

double ConjugateGradient::residual() const noexcept {
  return b_norm_ == 0.0 ? 0.0 : r_norm_ / b_norm_;
}

bool ConjugateGradient::is_small_enough() const noexcept {
  return residual() <= options_.tolerance;
}

void ConjugateGradient::step() {
  expects(status() == Status::going, "a solver that is not at its end");
  const auto p = matrix_.halo().own_part(state_.p);
  matrix_.multiply(state_.p, work_);
  ++iterations_;
  const double curvature = exact_dot(comm_, p, work_);
  expect_in_range(curvature);
  if (curvature == 0.0) {
    refuse(
        fmt::format("p . A p is 0 in iteration {}: either the matrix is not positive definite, or "
                    "the product underflows; then scale the matrix or the right-hand side",
                    iterations_));
  }
  if (curvature < 0.0) {
    refuse(fmt::format("p . A p is {} in iteration {}: the matrix is not positive definite",
                       curvature, iterations_));
  }
  const double alpha = state_.rz / curvature;
  for_each_row(p.size(), [&](std::size_t i) {
    state_.x[i] += alpha * p[i];
    state_.r[i] -= alpha * work_[i];
  });
  measure_residual();
  if (is_small_enough()) return settle();

  const double former_rz = state_.rz;
  const auto z = precondition();
  const double beta = state_.rz / former_rz;
  for_each_row(p.size(), [&](std::size_t i) { p[i] = z[i] + beta * p[i]; });
}

void ConjugateGradient::measure_residual() {
  state_.rr = exact_dot(comm_, state_.r, state_.r);
  expect_in_range(state_.rr);
  r_norm_ = norm_of(comm_, state_.r, state_.rr);
}

/// Replaces the residual by b - A x, and decides what follows.
void ConjugateGradient::settle() {
  subtract_product(state_.r);
  measure_residual();
  if (is_small_enough()) {
    state_.status = Status::converged;
  } else if (state_.rr > 0.25 * state_.verified_rr) {
    state_.status = Status::stagnated;
  }
  state_.verified_rr = state_.rr;
  const auto z = precondition();
  std::copy(z.begin(), z.end(), matrix_.halo().own_part(state_.p).begin());
}

/// result = b - A x.
void ConjugateGradient::subtract_product(std::span<double> result) {
  const auto own = matrix_.halo().own_part(extended_);
  std::copy(state_.x.begin(), state_.x.end(), own.begin());
  matrix_.multiply(extended_, result);
  for_each_row(result.size(), [&](std::size_t i) { result[i] = b_[i] - result[i]; });
}

/// Returns z, the preconditioned residual, and leaves r · z in the state.
std::span<const double> ConjugateGradient::precondition() {
  state_.rz = state_.rr;
  if (options_.preconditioner == Preconditioner::none) return state_.r;
  for_each_row(work_.size(), [&](std::size_t i) { work_[i] = inverse_diagonal_[i] * state_.r[i]; });
  state_.rz = exact_dot(comm_, state_.r, work_);
  expect_in_range(state_.rz);
  return work_;
}

double ConjugateGradient::true_residual() {
  subtract_product(work_);
  const double norm = norm_of(comm_, work_, exact_dot(comm_, work_, work_));
  return b_norm_ == 0.0 ? 0.0 : norm / b_norm_;
}

void ConjugateGradient::expect_in_range(double value) const {
  if (std::isfinite(value)) return;
  refuse(
      fmt::format("the numbers leave the range of double in iteration {}; scale the matrix or "
                  "the right-hand side",
                  iterations_));
}

}  // namespace cairn::cg
