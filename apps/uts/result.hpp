// What cairn-uts tells about its run: lines on stdout, and JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cairn/loadbalance/pool_report.hpp"
#include "explore.hpp"
#include "tree.hpp"

namespace cairn::uts {

/// One run.
struct Result {
  std::string tree;  ///< its name; empty for raw parameters
  TreeParameters parameters;
  Counts counts;
  std::string kernel;
  std::string schedule;
  int ranks = 1;
  int threads = 1;
  double seconds = 0;      ///< by the clock on the wall; of the slowest rank
  double cpu_seconds = 0;  ///< of all threads that explored
  std::optional<std::uint64_t> restored_from = {};        ///< the cut
  std::uint64_t nodes_before = 0;                         ///< that were counted by then
  std::uint64_t deals = 0;                                ///< of repartition, after the first
  std::vector<loadbalance::WorkPoolReport> reports = {};  ///< of all ranks, if they were gathered

  /// Of this launch.
  [[nodiscard]] double nodes_per_second() const;
};

/// The result as lines "name value" on stdout.
void print_result(const Result& result);

/// The text of a result file; README.md lists the fields.
[[nodiscard]] std::string to_json(const Result& result);

}  // namespace cairn::uts
