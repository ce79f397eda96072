// Cuts of a chain against all cuts of small chains.

#include "cairn/loadbalance/repartition.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "cairn/core/error.hpp"
#include "drifting.hpp"

using namespace cairn::loadbalance;
using cairn::Error;
using cairn::Random;
using namespace cairn::loadbalance::test;

namespace {

/// Calls `visit` with all ranges of `objects` objects for `parts` ranks.
void for_all_ranges(std::int64_t objects, int parts,
                    const std::function<void(const Ranges&)>& visit) {
  Ranges ranges(static_cast<std::size_t>(parts) + 1, 0);
  ranges.back() = objects;
  const std::function<void(std::size_t)> place = [&](std::size_t cut) {
    if (cut + 1 == ranges.size()) return visit(ranges);
    for (ranges[cut] = ranges[cut - 1]; ranges[cut] <= objects; ++ranges[cut]) place(cut + 1);
  };
  place(1);
}

/// The most objects that a rank sends and receives, by looking at each.
std::int64_t busiest(const Ranges& from, const Ranges& to) {
  std::vector<std::int64_t> busy(from.size(), 0);
  for (std::int64_t i = 0; i < from.back(); ++i) {
    if (owner(from, i) == owner(to, i)) continue;
    ++busy[owner(from, i)];
    ++busy[owner(to, i)];
  }
  return *std::ranges::max_element(busy);
}

/// What `check` looks at for many small chains and parts, zeros and giants among the weights.
void for_small_chains(
    const std::function<void(const std::vector<std::int64_t>&, int, std::uint64_t)>& check) {
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    const auto weights = random_weights(seed, Random(90).below(seed, 9), 12);
    for (int parts = 1; parts <= 5; ++parts) check(weights, parts, seed);
  }
}

}  // namespace

TEST_CASE("the least largest load is that of the best of all cuts") {
  for_small_chains([](const auto& weights, int parts, std::uint64_t) {
    auto best = std::numeric_limits<std::int64_t>::max();
    for_all_ranges(static_cast<std::int64_t>(weights.size()), parts, [&](const Ranges& ranges) {
      best = std::min(best, largest_load(weights, ranges));
    });
    CHECK(least_largest_load(weights, parts) == best);
  });
}

TEST_CASE("the least largest load in closed form") {
  std::vector<std::int64_t> ones(1000, 1);
  for (int parts = 1; parts <= 1100; parts += 7)
    CHECK(least_largest_load(ones, parts) == (1000 + parts - 1) / parts);
  ones[300] = 1'000'000'000'000;
  CHECK(least_largest_load(ones, 1) == 1'000'000'000'999);
  CHECK(least_largest_load(ones, 2) == 1'000'000'000'300);
  CHECK(least_largest_load(ones, 3) == 1'000'000'000'000);
  CHECK(least_largest_load({}, 4) == 0);
  const std::int64_t large = (std::int64_t{1} << 60) - 1;
  const std::vector<std::int64_t> giants{large, 0, large, large};
  CHECK(least_largest_load(giants, 2) == 2 * large);
  CHECK(least_largest_load(giants, 9) == large);
}

TEST_CASE("moves that cost nothing are exact, and what is said of them holds") {
  for_small_chains([](const auto& weights, int parts, std::uint64_t seed) {
    const auto current = random_ranges(seed, static_cast<std::int64_t>(weights.size()), parts);
    const auto plan = repartition(weights, current, {.seconds_per_byte = 0});
    const auto& change = plan.change;
    CHECK(change.largest_before == largest_load(weights, current));
    CHECK(change.largest_after == least_largest_load(weights, parts));
    CHECK(change.largest_after == largest_load(weights, plan.ranges));
    CHECK(change.total == std::accumulate(weights.begin(), weights.end(), std::int64_t{0}));
    CHECK(change.busiest_bytes == 64 * static_cast<std::uint64_t>(busiest(current, plan.ranges)));
    CHECK(std::ranges::is_sorted(plan.ranges));
    if (change.largest_after == change.largest_before) CHECK(plan.ranges == current);
  });
}

TEST_CASE("no gain is bought for more than it brings, and nearly all is found that there is") {
  double ours = 0;
  double best_of_all = 0;
  for_small_chains([&](const auto& weights, int parts, std::uint64_t seed) {
    const auto current = random_ranges(seed, static_cast<std::int64_t>(weights.size()), parts);
    for (const double price : {0.01, 0.3, 1.0, 4.0}) {
      const MovingCost cost{
          .steps = 1, .seconds_per_weight = 1, .seconds_per_byte = price, .bytes_per_object = 1};
      const auto plan = repartition(weights, current, cost);
      const auto gain = largest_load(weights, current) - largest_load(weights, plan.ranges);
      const double paid = price * static_cast<double>(busiest(current, plan.ranges));
      CHECK(plan.change.gain_seconds == static_cast<double>(gain));
      CHECK(plan.change.cost_seconds == doctest::Approx(paid));
      CHECK((plan.ranges == current || static_cast<double>(gain) > paid));
      CHECK(plan.change.moves() == (plan.ranges != current));
      double best = 0;
      for_all_ranges(current.back(), parts, [&](const Ranges& ranges) {
        best = std::max(best, static_cast<double>(largest_load(weights, current) -
                                                  largest_load(weights, ranges)) -
                                  price * static_cast<double>(busiest(current, ranges)));
      });
      CHECK(static_cast<double>(gain) - paid <= best + 1e-9);
      ours += static_cast<double>(gain) - paid;
      best_of_all += best;
    }
  });
  CHECK(ours > 0.97 * best_of_all);
}

TEST_CASE("a small gain over many moves is left alone, unless it lasts") {
  // 100 objects a rank, and one that is a little heavier.
  std::vector<std::int64_t> weights(400, 1000);
  weights[0] = 3000;
  const Ranges current{0, 100, 200, 300, 400};
  MovingCost cost{.steps = 1, .seconds_per_byte = 1e-6, .bytes_per_object = 8};
  CHECK(repartition(weights, current, cost).ranges == current);
  CHECK_FALSE(repartition(weights, current, cost).change.moves());
  cost.steps = 1000;
  const auto plan = repartition(weights, current, cost);
  CHECK(plan.ranges[1] < 100);
  CHECK(plan.change.largest_after < 102'000);
  CHECK(plan.change.moved_objects < 10);
}

TEST_CASE("cuts that are good enough stay") {
  // Only rank 0 has too much: what it gives goes to rank 1, and nobody else moves a thing.
  const std::vector<std::int64_t> weights(40, 1);
  const auto plan = repartition(weights, {0, 16, 20, 30, 40}, {.seconds_per_byte = 0});
  CHECK(plan.ranges == Ranges{0, 10, 20, 30, 40});
  CHECK(plan.change.moved_objects == 6);
  CHECK(plan.change.imbalance_before() == doctest::Approx(1.6));
  CHECK(plan.change.imbalance_after() == doctest::Approx(1.0));
}

TEST_CASE("what makes no sense is refused") {
  const std::vector<std::int64_t> weights{1, 2, 3};
  CHECK_THROWS_AS((void)least_largest_load(weights, 0), Error);
  CHECK_THROWS_AS((void)least_largest_load(std::vector<std::int64_t>{1, -1}, 2), Error);
  CHECK_THROWS_AS((void)least_largest_load(std::vector<std::int64_t>(2, std::int64_t{1} << 61), 2),
                  Error);
  for (const auto& ranges : {Ranges{}, {0}, {0, 2}, {1, 3}, {0, 4}, {0, 2, 1, 3}})
    CHECK_THROWS_AS((void)repartition(weights, ranges), Error);
  CHECK_THROWS_AS((void)repartition(weights, {0, 3}, {.steps = -1}), Error);
  CHECK_THROWS_AS((void)repartition(weights, {0, 3},
                                    {.seconds_per_byte = std::numeric_limits<double>::quiet_NaN()}),
                  Error);
}
