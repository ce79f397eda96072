#include "result.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

namespace cairn::clique {

namespace {

/// Numbered from 1, as in DIMACS's files.
std::vector<int> members_of(const Result& result) {
  std::vector<int> numbers = result.found.members;
  for (int& number : numbers) ++number;
  return numbers;
}

}  // namespace

void print_result(const Result& result) {
  fmt::print("size {}\nmembers {}\nproved {}\nnodes {}\nseconds {:.4g}\n",
             result.found.members.size(), fmt::join(members_of(result), " "),
             result.found.is_proved ? "yes" : "no", result.found.nodes, result.seconds);
  std::fflush(stdout);
}

std::string to_json(const Result& result) {
  using Json = nlohmann::ordered_json;
  const auto& found = result.found;
  const Json json{
      {"program", "cairn-clique"},
      {"graph", result.graph},
      {"vertices", result.vertices},
      {"edges", result.edges},
      {"size", found.members.size()},
      {"members", members_of(result)},
      {"proved", found.is_proved},
      {"nodes", found.nodes},
      {"ranks", result.ranks},
      {"threads", result.threads},
      {"restored_from", found.restored_from ? Json(*found.restored_from) : Json(nullptr)},
      {"seconds", result.seconds}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace cairn::clique
