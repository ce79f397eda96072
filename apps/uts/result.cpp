#include "result.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

namespace cairn::uts {

double Result::nodes_per_second() const {
  return seconds > 0 ? static_cast<double>(counts.nodes - nodes_before) / seconds : 0;
}

void print_result(const Result& result) {
  fmt::print("nodes {}\ndepth {}\nleaves {}\nnodes_per_second {:.4g}\n", result.counts.nodes,
             result.counts.depth, result.counts.leaves, result.nodes_per_second());
  std::fflush(stdout);
}

std::string to_json(const Result& result) {
  using Json = nlohmann::ordered_json;
  const TreeParameters& tree = result.parameters;
  const Json json{
      {"program", "cairn-uts"},
      {"tree", result.tree.empty() ? Json(nullptr) : Json(result.tree)},
      {"parameters",
       {{"type", static_cast<int>(tree.type)},
        {"shape", static_cast<int>(tree.shape)},
        {"depth", tree.depth},
        {"branching", tree.branching},
        {"seed", tree.seed},
        {"probability", tree.probability},
        {"children", tree.children}}},
      {"nodes", result.counts.nodes},
      {"depth", result.counts.depth},
      {"leaves", result.counts.leaves},
      {"kernel", result.kernel},
      {"ranks", result.ranks},
      {"threads", result.threads},
      {"restored_from", result.restored_from ? Json(*result.restored_from) : Json(nullptr)},
      {"seconds", result.seconds},
      {"cpu_seconds", result.cpu_seconds},
      {"nodes_per_second", result.nodes_per_second()}};
  return json.dump(2) + "\n";
}

}  // namespace cairn::uts
