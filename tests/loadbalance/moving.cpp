// Objects of all ranks: new cuts equal those of one rank that sees all, and none gets lost.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/error.hpp"
#include "cairn/loadbalance/diffusion.hpp"
#include "cairn/loadbalance/migrate.hpp"
#include "cairn/loadbalance/repartition.hpp"
#include "drifting.hpp"
#include "mpi_test.hpp"

using namespace cairn;
using namespace cairn::loadbalance;
using namespace cairn::loadbalance::test;
using cairn::test::world;
using Weights = std::vector<std::int64_t>;

namespace {

std::size_t me() { return static_cast<std::size_t>(world().rank()); }

/// An object with a hole, in which whatever there is travels too.
struct Cell {
  std::int64_t key = 0;
  std::int64_t weight = 0;
  char colour = 0;
};

Cell cell(std::int64_t key, std::int64_t weight) {
  return {key, weight, static_cast<char>('a' + key % 26)};
}

std::span<const std::int64_t> mine(const Weights& weights, const Ranges& ranges) {
  return std::span(weights).subspan(static_cast<std::size_t>(ranges[me()]),
                                    static_cast<std::size_t>(ranges[me() + 1] - ranges[me()]));
}

std::vector<Cell> my_cells(const Weights& weights, const Ranges& ranges) {
  std::vector<Cell> cells;
  for (std::int64_t i = ranges[me()]; i < ranges[me() + 1]; ++i)
    cells.push_back(cell(i, weights[static_cast<std::size_t>(i)]));
  return cells;
}

Weights weights_of(const std::vector<Cell>& cells) {
  Weights weights;
  for (const auto& cell : cells) weights.push_back(cell.weight);
  return weights;
}

std::int64_t load_of(const std::vector<Cell>& cells) {
  const auto weights = weights_of(cells);
  return std::accumulate(weights.begin(), weights.end(), std::int64_t{0});
}

/// The keys of all, rank after rank.
std::vector<std::int64_t> all_keys(const std::vector<Cell>& cells) {
  std::vector<std::int64_t> keys;
  for (const auto& cell : cells) keys.push_back(cell.key);
  Parts<std::int64_t> all;
  all_gather_v(world(), keys, all);
  return {all.values().begin(), all.values().end()};
}

std::vector<std::int64_t> numbers_below(std::size_t count) {
  std::vector<std::int64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  return numbers;
}

/// All cells there, once each, with their weight and colour, and sorted on each rank.
void check_all_there(const std::vector<Cell>& cells, const Weights& weights) {
  for (const auto& c : cells) {
    const auto right = cell(c.key, weights.at(static_cast<std::size_t>(c.key)));
    CHECK(c.weight == right.weight);
    CHECK(c.colour == right.colour);
  }
  CHECK(std::ranges::is_sorted(cells, {}, &Cell::key));
  auto keys = all_keys(cells);
  std::ranges::sort(keys);
  CHECK(keys == numbers_below(weights.size()));
}

const auto by_key = [](const Cell& c) { return c.key; };

constexpr MovingCost costs[] = {{.seconds_per_byte = 0},
                                {.steps = 10, .seconds_per_byte = 1e-9},
                                {.steps = 1, .seconds_per_byte = 3e-9, .bytes_per_object = 5}};

}  // namespace

TEST_CASE("new cuts of all ranks are those of one that sees all, and objects follow them") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    const auto count = Random(93).below(seed, seed % 3 == 0 ? 9 : 400);
    const auto weights = random_weights(seed, count, 1000);
    const auto ranges =
        random_ranges(seed, static_cast<std::int64_t>(weights.size()), world().size());
    const auto& cost = costs[seed % 3];
    const auto expected = repartition(weights, ranges, cost);
    const auto plan = repartition(world(), mine(weights, ranges), cost);

    CHECK(plan.change.total == expected.change.total);
    CHECK(plan.change.largest_before == expected.change.largest_before);
    CHECK(plan.change.largest_after == expected.change.largest_after);
    CHECK(plan.change.moved_bytes == expected.change.moved_bytes);
    CHECK(plan.change.busiest_bytes == expected.change.busiest_bytes);
    CHECK(plan.change.gain_seconds == expected.change.gain_seconds);
    CHECK(plan.change.cost_seconds == expected.change.cost_seconds);

    auto cells = my_cells(weights, ranges);
    const auto moved = migrate(world(), cells, plan.destinations, by_key);
    CHECK(moved.objects == plan.change.moved_objects);
    CHECK(moved.bytes == moved.objects * sizeof(Cell));
    CHECK(moved.busiest_bytes * cost.bytes_per_object == plan.change.busiest_bytes * sizeof(Cell));
    check_all_there(cells, weights);
    CHECK(all_keys(cells) == numbers_below(weights.size()));
    CHECK(cells.size() ==
          static_cast<std::size_t>(expected.ranges[me() + 1] - expected.ranges[me()]));
    CHECK(all_reduce(world(), load_of(cells), Maximum{}) == plan.change.largest_after);
  }
}

TEST_CASE("large weights, all on one rank, and one giant") {
  const std::int64_t hour = 3'600'000'000'000;
  for (int owner = 0; owner < world().size(); ++owner) {
    Ranges ranges(static_cast<std::size_t>(world().size()) + 1, 0);
    std::fill(ranges.begin() + owner + 1, ranges.end(), 50);
    Weights weights(50, 7 * hour);
    weights[20] = 100 * hour;
    const auto plan = repartition(world(), mine(weights, ranges), {.seconds_per_byte = 0});
    CHECK(plan.change.largest_after == least_largest_load(weights, world().size()));
    CHECK(plan.change.largest_before == 49 * 7 * hour + 100 * hour);
  }
}

TEST_CASE("what no rank has is nothing to move") {
  const auto plan = repartition(world(), {}, {.seconds_per_byte = 0});
  CHECK(plan.destinations.empty());
  CHECK_FALSE(plan.change.moves());
  CHECK(plan.change.imbalance_after() == 1.0);
  CHECK_FALSE(diffuse(world(), {}).change.moves());
  std::vector<Cell> none;
  CHECK(migrate(world(), none, {}, by_key).seconds_per_byte() == 0.0);
}

TEST_CASE("objects go anywhere, in the order of their keys, and come back") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto weights = random_weights(seed, 30 * seed, 1000);
    const auto ranges =
        random_ranges(seed, static_cast<std::int64_t>(weights.size()), world().size());
    auto cells = my_cells(weights, ranges);
    std::vector<int> destinations;
    for (const auto& c : cells)
      destinations.push_back(static_cast<int>(Random(seed).below(
          static_cast<std::uint64_t>(c.key), static_cast<std::uint64_t>(world().size()))));
    migrate(world(), cells, destinations, by_key);
    check_all_there(cells, weights);
    destinations.clear();
    for (const auto& c : cells) destinations.push_back(static_cast<int>(owner(ranges, c.key)));
    migrate(world(), cells, destinations, by_key);
    check_all_there(cells, weights);
    CHECK(all_keys(cells) == numbers_below(weights.size()));
  }
}

TEST_CASE("the digest of objects tells what is lost, doubled, changed, but not their order") {
  const std::vector<std::uint16_t> objects{1, 2, 3, 4, 5, 6};
  const auto digest = [](const std::vector<std::uint16_t>& values) {
    return loadbalance::detail::unordered_digest(std::as_bytes(std::span(values)), 6);
  };
  CHECK(digest(objects) == digest({4, 5, 6, 1, 2, 3}));
  for (const auto& other : {std::vector<std::uint16_t>{1, 2, 3},
                            {1, 2, 3, 4, 5, 7},
                            {1, 2, 3, 1, 2, 3},
                            {1, 2, 3, 4, 6, 5},
                            {4, 2, 3, 1, 5, 6}})
    CHECK(digest(objects) != digest(other));
}

TEST_CASE("diffusion keeps all objects, and evens out loads") {
  for (const auto graph : {Graph::line, Graph::hypercube}) {
    for (const int rounds : {1, 1000}) {
      // All on the last rank.
      const auto weights = random_weights(11, 400, 1000);
      Ranges ranges(static_cast<std::size_t>(world().size()) + 1, 0);
      ranges.back() = 400;
      auto cells = my_cells(weights, ranges);
      const DiffusionOptions options{graph, rounds, {.seconds_per_byte = 0}};
      auto before = std::numeric_limits<std::int64_t>::max();
      while (true) {
        const auto plan = diffuse(world(), weights_of(cells), options);
        CHECK(plan.change.largest_before <= before);
        before = plan.change.largest_before;
        for (const int destination : plan.destinations)
          CHECK((destination == world().rank() || graph == Graph::hypercube ||
                 std::abs(destination - world().rank()) == 1));
        if (!plan.change.moves()) break;
        migrate(world(), cells, plan.destinations, by_key);
        check_all_there(cells, weights);
        if (graph == Graph::line) CHECK(all_keys(cells) == numbers_below(400));
        CHECK(all_reduce(world(), load_of(cells), Maximum{}) == plan.change.largest_after);
      }
      // Neighbours end within 3 objects on a line; nobody is further than that times the way.
      const auto total = std::accumulate(weights.begin(), weights.end(), std::int64_t{0});
      CHECK(before <= total / world().size() + 3 * 1000 * world().size());
    }
  }
}

TEST_CASE("objects whose move costs more than it relieves stay with diffusion") {
  const Weights weights(world().is_root() ? 90 : 0, 1000);
  const MovingCost dear{.steps = 1, .seconds_per_byte = 1e-6, .bytes_per_object = 2};
  CHECK_FALSE(diffuse(world(), weights, {.cost = dear}).change.moves());
  MovingCost lasting = dear;
  lasting.steps = 10;
  CHECK(diffuse(world(), weights, {.cost = lasting}).change.moves() == (world().size() > 1));
}

TEST_CASE("what one rank gets wrong is an error of all") {
  const int wrong = world().size() - 1;
  const auto is_agreed_usage = [](const auto& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.code() == Errc::usage && error.agreed();
    }
    return false;
  };
  const Weights negative(3, world().rank() == wrong ? -1 : 1);
  CHECK(is_agreed_usage([&] { (void)repartition(world(), negative); }));
  CHECK(is_agreed_usage([&] { (void)diffuse(world(), negative); }));
  const Weights large(4, world().rank() == wrong ? std::int64_t{1} << 60 : 1);
  CHECK(is_agreed_usage([&] { (void)repartition(world(), large); }));
  const MovingCost cost{.steps = world().rank() == wrong ? -1.0 : 1.0};
  CHECK(is_agreed_usage([&] { (void)repartition(world(), {}, cost); }));
  CHECK(is_agreed_usage([&] { (void)diffuse(world(), {}, {.rounds = -1}); }));
  for (const int destination : {-1, world().size()}) {
    std::vector<Cell> cells(2);
    const std::vector<int> to{0, world().rank() == wrong ? destination : 0};
    CHECK(is_agreed_usage([&] { migrate(world(), cells, to, by_key); }));
    CHECK(cells.size() == 2);
  }
  std::vector<Cell> cells(2);
  const std::vector<int> few(world().rank() == wrong ? 1 : 2, 0);
  CHECK(is_agreed_usage([&] { migrate(world(), cells, few, by_key); }));
}
