#include "cairn/loadbalance/policy.hpp"

#include <array>
#include <utility>

#include "cairn/core/error.hpp"

namespace cairn::loadbalance {

namespace {

constexpr std::array<std::pair<std::string_view, Policy>, 6> policies{
    {{"block", Policy::block},
     {"round-robin", Policy::round_robin},
     {"random", Policy::random},
     {"weighted", Policy::weighted},
     {"repartition", Policy::repartition},
     {"stealing", Policy::stealing}}};

}  // namespace

std::optional<Policy> policy_of(std::string_view name) noexcept {
  for (const auto& [its_name, policy] : policies)
    if (its_name == name) return policy;
  return std::nullopt;
}

std::string names_of_policies() {
  std::string names;
  for (const auto& [name, policy] : policies)
    names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

Schedule schedule_of(Policy policy, std::size_t tasks, std::span<const double> weights,
                     int workers) {
  if (policy == Policy::random) return random_schedule(tasks, workers);
  if (policy == Policy::round_robin) return round_robin_schedule(tasks, workers);
  if (policy != Policy::weighted) return block_schedule(tasks, workers);
  if (weights.size() != tasks)
    throw Error(Errc::usage, std::to_string(weights.size()) + " weights for " +
                                 std::to_string(tasks) + " tasks");
  return longest_first_schedule(weights, workers);
}

}  // namespace cairn::loadbalance
