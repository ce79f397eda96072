/// What a finished run has to say.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace cairn::cg {

struct Result {
  std::string digest;  ///< of x
  std::string system;  ///< "matrix FILE" or "poisson N"
  std::uint64_t rows = 0;
  std::uint64_t nonzeros = 0;
  std::string precondition;
  double tolerance = 0;
  std::uint64_t iterations = 0;
  bool converged = false;
  double residual = 0;              ///< ‖b - A x‖ / ‖b‖
  std::optional<double> error_max;  ///< distance to the known solution, where there is one
  int ranks = 0;
  int threads = 0;
  int restarts = 0;  ///< launches before this one
  std::optional<std::uint64_t> restored_from;
  double seconds = 0;  ///< of this launch's iterations
  double iterations_per_second = 0;
};

/// Prints one line on stdout: the residual as a hexadecimal floating-point number, which says all
/// bits, and as a decimal one. Local.
void print_residual(std::uint64_t iteration, double residual);

/// Prints `key value` lines on stdout. Local.
void print_summary(const Result& result);

/// Writes the result as JSON; the file appears complete or not at all. Local.
/// @throws Error{Errc::no_input, permission, input_output}
void write_result(const Result& result, const std::filesystem::path& file);

}  // namespace cairn::cg
