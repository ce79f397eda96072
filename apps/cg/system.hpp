/// The system that a run solves: from files, or the model problem.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "matrix.hpp"

namespace cairn::cg {

/// Which system: a matrix file, or the Poisson equation if that is empty.
struct SystemOptions {
  std::filesystem::path matrix;
  std::uint64_t poisson = 0;  ///< inner grid points along one side of the unit square
  std::filesystem::path rhs;  ///< empty: one with a known solution
};

/// A x = b.
struct System {
  std::string name;               ///< "matrix FILE" or "poisson N"
  std::uint64_t matrix_hash = 0;  ///< fingerprint() of A, equal on all ranks
  std::uint64_t rhs_hash = 0;     ///< fingerprint() of b
  Matrix matrix;
  std::vector<double> b;                                ///< this rank's part
  std::function<double(std::uint64_t row)> solution{};  ///< empty where it is not known
};

/// Reads or makes the system. Collective, blocking.
///
/// Without options.rhs, b is A · (1, …, 1) for a matrix file, and for the Poisson equation h² f
/// with -Δu = f, u = x (1 - x) y (1 - y) in the unit square: the five-point scheme solves that
/// without an error of discretisation, since u has no fourth derivative along an axis.
/// @param comm  outlives the result
/// @throws Error, agreed, as read_matrix(), poisson(), read_vector() and Matrix
[[nodiscard]] System load_system(const Communicator& comm, const SystemOptions& options);

/// The largest distance of x to the known solution; nothing where that is not known. Collective,
/// blocking.
/// @param x  this rank's part
[[nodiscard]] std::optional<double> distance_to_solution(const Communicator& comm,
                                                         const System& system,
                                                         std::span<const double> x);

}  // namespace cairn::cg
