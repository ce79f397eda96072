#include "cairn/loadbalance/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <compare>
#include <numeric>
#include <queue>
#include <string>
#include <utility>

#include "cairn/core/error.hpp"
#include "cairn/core/random.hpp"
#include "cairn/loadbalance/hilbert.hpp"

namespace cairn::loadbalance {

namespace {

void expect_workers(int workers) {
  if (workers < 1)
    throw Error(Errc::usage, std::to_string(workers) + " workers: there must be one at least");
}

void expect_amounts(std::span<const double> amounts, const char* what) {
  for (std::size_t i = 0; i < amounts.size(); ++i)
    if (!std::isfinite(amounts[i]) || amounts[i] < 0)
      throw Error(Errc::usage, std::string(what) + " " + std::to_string(i) + " is " +
                                   std::to_string(amounts[i]) + ": it must be 0 or more");
  if (!std::isfinite(std::accumulate(amounts.begin(), amounts.end(), 0.0)))
    throw Error(Errc::usage, std::string(what) + "s are too large for their sum");
}

/// Somebody who gets the next task when nobody has a smaller load; of equals who has the fewest
/// tasks, and then the first.
struct Candidate {
  double load = 0;
  std::size_t tasks = 0;
  int worker = 0;
  friend auto operator<=>(const Candidate&, const Candidate&) = default;
};
using LeastLoaded = std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>>;

template <std::size_t dimensions>
using Points = std::span<const std::array<double, dimensions>>;

template <std::size_t dimensions>
void expect_points(Points<dimensions> points) {
  for (std::size_t i = 0; i < points.size(); ++i)
    for (const double x : points[i])
      if (!(std::abs(x) < 1e300))  // the differences, too
        throw Error(Errc::usage, "point " + std::to_string(i) + " is not a finite place");
}

/// Cells of a grid over all points, as fine as a number of 64 bits tells apart; a cube, so that
/// distances along all axes count alike.
template <std::size_t dimensions>
std::vector<std::uint64_t> places_on_curve(Points<dimensions> points) {
  constexpr int bits = dimensions == 2 ? 31 : 21;
  auto low = points.front();
  double side = 0;
  for (std::size_t axis = 0; axis < dimensions; ++axis) {
    const auto by_axis = [axis](const auto& a, const auto& b) { return a[axis] < b[axis]; };
    const auto [first, last] = std::minmax_element(points.begin(), points.end(), by_axis);
    low[axis] = (*first)[axis];
    side = std::max(side, (*last)[axis] - low[axis]);
  }
  const double cells = static_cast<double>((std::uint32_t{1} << bits) - 1);
  std::vector<std::uint64_t> places;
  places.reserve(points.size());
  for (const auto& point : points) {
    std::array<std::uint32_t, dimensions> cell{};
    for (std::size_t axis = 0; side > 0 && axis < dimensions; ++axis)
      cell[axis] = static_cast<std::uint32_t>((point[axis] - low[axis]) / side * cells);
    places.push_back(hilbert_index(cell, bits));
  }
  return places;
}

/// Pieces of the order, of about equal weight: each task to the piece that its middle is in. One
/// weight at least is above 0.
Schedule cut(const std::vector<std::size_t>& order, std::span<const double> weights, int workers) {
  Schedule schedule(order.size());
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  double before = 0;
  for (const std::size_t task : order) {
    const double middle = before + weights[task] / 2;
    before += weights[task];
    schedule[task] = std::min(static_cast<int>(middle / total * workers), workers - 1);
  }
  return schedule;
}

template <std::size_t dimensions>
Schedule along_curve(Points<dimensions> points, std::span<const double> weights, int workers) {
  expect_workers(workers);
  expect_points(points);
  expect_amounts(weights, "weight");
  if (!weights.empty() && weights.size() != points.size())
    throw Error(Errc::usage, std::to_string(weights.size()) + " weights for " +
                                 std::to_string(points.size()) + " points");
  if (points.empty()) return {};
  const auto places = places_on_curve(points);
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t task) { return places[task]; });
  const bool are_equal = std::ranges::all_of(weights, [](double weight) { return weight == 0; });
  const std::vector<double> equal(are_equal ? points.size() : 0, 1.0);
  return cut(order, are_equal ? std::span<const double>(equal) : weights, workers);
}

}  // namespace

Schedule block_schedule(std::size_t tasks, int workers) {
  expect_workers(workers);
  const auto p = static_cast<std::size_t>(workers);
  Schedule schedule;
  schedule.reserve(tasks);
  for (std::size_t worker = 0; worker < p; ++worker)
    schedule.insert(schedule.end(), tasks / p + (worker < tasks % p ? 1 : 0),
                    static_cast<int>(worker));
  return schedule;
}

Schedule round_robin_schedule(std::size_t tasks, int workers) {
  expect_workers(workers);
  Schedule schedule(tasks);
  for (std::size_t task = 0; task < tasks; ++task)
    schedule[task] = static_cast<int>(task % static_cast<std::size_t>(workers));
  return schedule;
}

Schedule random_schedule(std::size_t tasks, int workers, std::uint64_t seed) {
  expect_workers(workers);
  const Random random(seed);
  Schedule schedule(tasks);
  for (std::size_t task = 0; task < tasks; ++task)
    schedule[task] = static_cast<int>(random.below(task, static_cast<std::uint64_t>(workers)));
  return schedule;
}

Schedule longest_first_schedule(std::span<const double> weights, int workers) {
  expect_workers(workers);
  expect_amounts(weights, "weight");
  std::vector<std::size_t> order(weights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](std::size_t task) { return weights[task]; });
  LeastLoaded queue;
  for (int worker = 0; worker < workers; ++worker) queue.push({0.0, 0, worker});
  Schedule schedule(weights.size());
  for (const std::size_t task : order) {
    const auto [load, its_tasks, worker] = queue.top();
    queue.pop();
    schedule[task] = worker;
    queue.push({load + weights[task], its_tasks + 1, worker});
  }
  return schedule;
}

Schedule weighted_round_robin_schedule(std::size_t tasks, std::span<const double> speeds) {
  expect_workers(static_cast<int>(speeds.size()));
  expect_amounts(speeds, "speed");
  const double largest = *std::ranges::max_element(speeds);
  if (largest == 0) throw Error(Errc::usage, "all speeds are 0: nobody can do anything");
  // Of speeds over a power of two next to the largest: times do not overflow, and equal ones stay
  // so.
  const int exponent = std::ilogb(largest);
  const auto time_for = [&](double count, std::size_t worker) {
    return count / std::scalbn(speeds[worker], -exponent);
  };
  LeastLoaded queue;  // by the time at which a worker would be through with one more
  for (std::size_t worker = 0; worker < speeds.size(); ++worker)
    if (speeds[worker] > 0) queue.push({time_for(1, worker), 0, static_cast<int>(worker)});
  std::vector<double> counts(speeds.size(), 0.0);
  Schedule schedule(tasks);
  for (auto& worker : schedule) {
    worker = queue.top().worker;
    queue.pop();
    const auto i = static_cast<std::size_t>(worker);
    ++counts[i];
    queue.push({time_for(counts[i] + 1, i), 0, worker});
  }
  return schedule;
}

Schedule curve_schedule(std::span<const std::array<double, 2>> points,
                        std::span<const double> weights, int workers) {
  return along_curve(points, weights, workers);
}

Schedule curve_schedule(std::span<const std::array<double, 3>> points,
                        std::span<const double> weights, int workers) {
  return along_curve(points, weights, workers);
}

ScheduleCost cost_of(const Schedule& schedule, std::span<const double> weights, int workers) {
  expect_workers(workers);
  expect_amounts(weights, "weight");
  expects(schedule.size() == weights.size(), "one weight for each task");
  std::vector<double> loads(static_cast<std::size_t>(workers), 0.0);
  for (std::size_t task = 0; task < schedule.size(); ++task) {
    expects(schedule[task] >= 0 && schedule[task] < workers, "a worker that there is");
    loads[static_cast<std::size_t>(schedule[task])] += weights[task];
  }
  ScheduleCost cost;
  cost.largest = *std::ranges::max_element(loads);
  cost.mean = std::accumulate(loads.begin(), loads.end(), 0.0) / workers;
  if (cost.mean > 0) cost.imbalance = cost.largest / cost.mean;
  return cost;
}

}  // namespace cairn::loadbalance
