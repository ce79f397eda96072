// What cairn-queens tells about its run: lines on stdout, and JSON.
#pragma once

#include <string>

#include "board.hpp"

namespace cairn::queens {

/// One run.
struct Result {
  int n = 0;
  int depth = 0;
  Counts counts;
  int ranks = 1;
  int threads = 1;
  double seconds = 0;      ///< by the clock on the wall
  double cpu_seconds = 0;  ///< of all threads that searched

  [[nodiscard]] double nodes_per_second() const;
};

/// The result as lines "name value" on stdout.
void print_result(const Result& result);

/// The text of a result file; README.md lists the fields.
[[nodiscard]] std::string to_json(const Result& result);

}  // namespace cairn::queens
