/// What a finished run has to say.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "field.hpp"

namespace cairn::heat {

struct Result {
  std::string digest;
  int size = 0;
  std::uint64_t steps = 0;
  double time = 0;
  std::string initial;
  Norms norms;
  std::optional<Distance> error;  ///< with the sine alone
  int ranks = 0;
  int threads = 0;
  int restarts = 0;  ///< launches before this one
  std::optional<std::uint64_t> restored_from;
  double seconds = 0;  ///< of this launch's steps
  double cells_per_second = 0;
};

/// Prints one line of norms on stdout: each as a hexadecimal floating-point number, which says all
/// bits, and as a decimal one. Local.
void print_norms(std::uint64_t step, const Norms& norms);

/// Prints `key value` lines on stdout. Local.
void print_summary(const Result& result);

/// Writes the result as JSON; the file appears complete or not at all. Local.
/// @throws Error{Errc::no_input, permission, input_output}
void write_result(const Result& result, const std::filesystem::path& file);

}  // namespace cairn::heat
