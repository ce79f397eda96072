#include "result.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

namespace cairn::queens {

double Result::nodes_per_second() const {
  return seconds > 0 ? static_cast<double>(counts.nodes) / seconds : 0;
}

void print_result(const Result& result) {
  fmt::print("solutions {}\nnodes {}\nnodes_per_second {:.4g}\n", result.counts.solutions,
             result.counts.nodes, result.nodes_per_second());
  std::fflush(stdout);
}

std::string to_json(const Result& result) {
  const nlohmann::ordered_json json{{"program", "cairn-queens"},
                                    {"n", result.n},
                                    {"depth", result.depth},
                                    {"solutions", result.counts.solutions},
                                    {"nodes", result.counts.nodes},
                                    {"ranks", result.ranks},
                                    {"threads", result.threads},
                                    {"seconds", result.seconds},
                                    {"cpu_seconds", result.cpu_seconds},
                                    {"nodes_per_second", result.nodes_per_second()}};
  return json.dump(2) + "\n";
}

}  // namespace cairn::queens
