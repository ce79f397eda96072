// What cairn-clique tells about its run: lines on stdout, and JSON.
#pragma once

#include <cstdint>
#include <string>

#include "search.hpp"

namespace cairn::clique {

/// One run.
struct Result {
  std::string graph;  ///< its name, or its file
  int vertices = 0;
  std::uint64_t edges = 0;
  SearchResult found = {};
  int ranks = 1;
  int threads = 1;
  double seconds = 0;  ///< of this launch, by the clock on the wall
};

/// The result as lines "name value" on stdout.
void print_result(const Result& result);

/// The text of a result file; README.md lists the fields.
[[nodiscard]] std::string to_json(const Result& result);

}  // namespace cairn::clique
