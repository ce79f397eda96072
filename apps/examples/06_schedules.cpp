// What six static schedules make of the same tasks: how long the slowest worker takes, and what
// would be fair.   06_schedules WORKERS WEIGHT…

#include <array>
#include <charconv>
#include <cstdio>
#include <string_view>
#include <system_error>
#include <vector>

#include "cairn/collectives/runtime.hpp"
#include "cairn/core/error.hpp"
#include "cairn/loadbalance/schedule.hpp"

using namespace cairn::loadbalance;

/// Whether all of `text` is a number, now in `value`.
template <typename Number>
bool read(std::string_view text, Number& value) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && rest == end;
}

int main(int argc, char** argv) try {
  const cairn::Runtime runtime(argc, argv);
  if (!runtime.world().is_root()) return 0;  // a schedule needs no other rank
  int workers = 0;
  bool is_read = argc > 2 && read(argv[1], workers);
  std::vector<double> weights;
  for (int i = 2; i < argc; ++i) is_read = read(argv[i], weights.emplace_back()) && is_read;
  if (!is_read) return std::fprintf(stderr, "usage: %s WORKERS WEIGHT…\n", argv[0]), 64;
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
