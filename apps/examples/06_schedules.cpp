// What six static schedules make of the same tasks: how long the slowest worker takes, and what
// would be fair.   06_schedules WORKERS WEIGHT…

#include <array>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "cairn/core/error.hpp"
#include "cairn/loadbalance/schedule.hpp"

using namespace cairn::loadbalance;

int main(int argc, char** argv) try {
  const int workers = argc > 1 ? std::atoi(argv[1]) : 0;
  std::vector<double> weights;
  for (int i = 2; i < argc; ++i) weights.push_back(std::atof(argv[i]));
  const std::vector<double> speeds(static_cast<std::size_t>(workers > 0 ? workers : 0), 1.0);
  std::vector<std::array<double, 2>> points;  // along a line
  for (std::size_t i = 0; i < weights.size(); ++i) points.push_back({static_cast<double>(i), 0});
  const auto print = [&](const char* name, const Schedule& schedule) {
    const auto cost = cost_of(schedule, weights, workers);
    std::printf("%-20s largest %g mean %g imbalance %.3f\n", name, cost.largest, cost.mean,
                cost.imbalance);
  };
  print("block", block_schedule(weights.size(), workers));
  print("round-robin", round_robin_schedule(weights.size(), workers));
  print("random", random_schedule(weights.size(), workers));
  print("longest-first", longest_first_schedule(weights, workers));
  print("weighted-round-robin", weighted_round_robin_schedule(weights.size(), speeds));
  print("curve", curve_schedule(points, weights, workers));
} catch (const cairn::Error& error) {
  std::fprintf(stderr, "06_schedules: %s\n", error.what());
  return error.exit_code();
}
