/// Preconditioned conjugate gradients for symmetric positive definite systems A x = b.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "matrix.hpp"

namespace cairn::cg {

enum class Preconditioner { none, jacobi };

/// going: step() again. stagnated: rounding keeps the residual above the tolerance.
enum class Status : std::uint8_t { going, converged, stagnated };

struct SolverOptions {
  double tolerance = 1e-8;  ///< of ‖b - A x‖ / ‖b‖, in the 2-norm; above 0 and below 1
  Preconditioner preconditioner = Preconditioner::jacobi;
};

/// Everything that one iteration hands to the next: what a checkpoint has to hold. Vectors are this
/// rank's parts.
struct SolverState {
  std::vector<double> x;  ///< the solution so far, shape [local rows]
  std::vector<double> r;  ///< b - A x, as the iteration updates it
  std::vector<double> p;  ///< the direction, extended by its ghosts (halo.hpp)
  double rz = 0;          ///< r · z, z the preconditioned r
  double rr = 0;          ///< r · r
  double verified_rr =
      std::numeric_limits<double>::infinity();  ///< the last b - A x that was looked at
  Status status = Status::going;
};

/// One system and its solution. All members are collective and blocking where not said otherwise;
/// thread level MPI_THREAD_FUNNELED, OpenMP inside the rank.
///
/// The residual that the iteration updates drifts away from b - A x. So once it is small enough, it
/// is replaced by b - A x; only if that is small enough too the solver has converged, else it
/// starts again from there. If a replacement has not halved the last one, it has stagnated.
///
/// Errors are agreed: {bad_data} when p · A p is not positive, that is, A is not positive definite
/// or so small that the product underflows, and when a number leaves the range of double.
/// @par Determinism  the bits of every member depend on A, b and the options alone: products are
/// added up by rising column, dot products are exact_dot()
/// @par Cost  an iteration: one product, with its halo exchange, and two exact_dot, three with a
/// preconditioner. Memory: seven vectors, of which one or two have ghosts
/// @par Source  Hestenes, Stiefel, "Methods of conjugate gradients for solving linear systems",
/// J. Res. NBS 49 (1952), doi:10.6028/jres.049.044; the replacement of the residual: van der Vorst,
/// Ye, "Residual replacement strategies for Krylov subspace iterative methods for the convergence
/// of true residuals", SIAM J. Sci. Comput. 22 (2000), doi:10.1137/S1064827599353865
class ConjugateGradient {
 public:
  /// @param comm    outlives this object, and so does `matrix`
  /// @param b       shape [local rows]
  /// @throws Error{bad_data}, agreed, for a b other than 0 with ‖b‖ · tolerance below 1e-153 or ‖b‖
  /// above about 1e154
  ConjugateGradient(const Communicator& comm, Matrix& matrix, std::vector<double> b,
                    const SolverOptions& options);

  /// Begins with x = 0.
  void start();

  /// Goes on with what state() holds, that of any iteration of this system, with any tolerance.
  void resume(std::uint64_t iterations);

  /// One iteration. @pre status() is going
  void step();

  /// Local.
  [[nodiscard]] SolverState& state() noexcept { return state_; }
  [[nodiscard]] const SolverState& state() const noexcept { return state_; }
  [[nodiscard]] Status status() const noexcept { return state_.status; }
  [[nodiscard]] std::uint64_t iterations() const noexcept { return iterations_; }
  /// ‖r‖ / ‖b‖ of the residual that the iteration updates; 0 if b is 0. Local.
  [[nodiscard]] double residual() const noexcept;

  /// ‖b - A x‖ / ‖b‖, computed anew; 0 if b is 0.
  [[nodiscard]] double true_residual();

 private:
  [[nodiscard]] bool is_small_enough() const noexcept;
  void measure_residual();
  void settle();
  void subtract_product(std::span<double> result);
  [[nodiscard]] std::span<const double> precondition();
  void expect_in_range(double value) const;

  const Communicator& comm_;
  Matrix& matrix_;
  SolverOptions options_;
  std::vector<double> b_;
  std::vector<double> inverse_diagonal_;  // empty without a preconditioner
  double b_norm_ = 0;
  double r_norm_ = 0;  // of state_.r
  SolverState state_;
  std::uint64_t iterations_ = 0;
  std::vector<double> work_;      // A p, then z
  std::vector<double> extended_;  // x with its ghosts
};

}  // namespace cairn::cg
