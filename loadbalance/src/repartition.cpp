#include "cairn/loadbalance/repartition.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/core/error.hpp"
#include "chain.hpp"

namespace cairn::loadbalance {

namespace {

using detail::Chain;
using detail::ChainFacts;
using detail::Segment;

Segment segment_of(std::span<const std::int64_t> weights, std::int64_t first, std::int64_t before) {
  Segment segment{first, {before}};
  segment.weights.reserve(weights.size() + 1);
  for (const auto weight : weights) segment.weights.push_back(before += weight);
  return segment;
}

std::int64_t largest(std::span<const std::int64_t> numbers) {
  return numbers.empty() ? 0 : *std::ranges::max_element(numbers);
}

/// Loads of the ranges between cuts before which there are these weights.
std::int64_t largest_load(std::span<const std::int64_t> weights) {
  std::int64_t load = 0;
  for (std::size_t i = 1; i < weights.size(); ++i)
    load = std::max(load, weights[i] - weights[i - 1]);
  return load;
}

void expect_parts(int parts) {
  if (parts < 1)
    throw Error(Errc::usage, std::to_string(parts) + " ranges: there must be one at least");
}

void expect_ranges(const Ranges& ranges, std::size_t objects) {
  if (ranges.size() < 2 || ranges.front() != 0 ||
      ranges.back() != static_cast<std::int64_t>(objects) || !std::ranges::is_sorted(ranges))
    throw Error(Errc::usage, "ranges ascend from 0 to the number of objects, which is " +
                                 std::to_string(objects));
}

/// What each rank sends and receives when the ranges change, in objects.
BalanceChange weigh_ranges(BalanceChange change, std::span<const std::int64_t> from,
                           std::span<const std::int64_t> to, const MovingCost& cost) {
  std::vector<std::int64_t> sent;
  std::vector<std::int64_t> received;
  for (std::size_t r = 0; r + 1 < from.size(); ++r) {
    const auto stay =
        std::max(std::int64_t{0}, std::min(from[r + 1], to[r + 1]) - std::max(from[r], to[r]));
    sent.push_back(from[r + 1] - from[r] - stay);
    received.push_back(to[r + 1] - to[r] - stay);
  }
  return detail::weigh(change, sent, received, cost);
}

/// Limits to try, from the least to just below the present load; dense where moves are many and
/// gains small.
std::vector<std::int64_t> limits_to_try(std::int64_t least, std::int64_t present) {
  const std::int64_t span = present - least;
  std::vector<std::int64_t> limits{least};
  for (const std::int64_t part : {256, 64, 32, 16, 8, 4, 2})
    if (least + span / part > limits.back()) limits.push_back(least + span / part);
  if (least + span / 4 * 3 > limits.back()) limits.push_back(least + span / 4 * 3);
  return limits;
}

NewRanges choose(const Chain& chain, const ChainFacts& facts, const Ranges& current,
                 const MovingCost& cost) {
  const std::size_t width = current.size();
  const int ranks = static_cast<int>(width) - 1;
  NewRanges best{{.ranks = ranks,
                  .total = facts.total,
                  .largest_before = facts.largest_load,
                  .largest_after = facts.largest_load},
                 current};
  const auto least = detail::least_limit(chain, facts, ranks);
  if (least == facts.largest_load) return best;
  const auto limits = limits_to_try(least, facts.largest_load);
  const auto cuts = detail::nearest_cuts(chain, facts, limits, current);
  double most = 0;  // gain less cost; of equals the one that balances best
  for (std::size_t i = 0; i < limits.size(); ++i) {
    const auto ranges = std::span(cuts.positions).subspan(i * width, width);
    BalanceChange change = best.change;
    change.largest_before = facts.largest_load;
    change.largest_after = largest_load(std::span(cuts.weights).subspan(i * width, width));
    change = weigh_ranges(change, current, ranges, cost);
    if (change.gain_seconds - change.cost_seconds <= most) continue;
    most = change.gain_seconds - change.cost_seconds;
    best = {change, Ranges(ranges.begin(), ranges.end())};
  }
  return best;
}

/// What all ranks know of their objects: loads, numbers of objects, largest weights.
struct Everybody {
  std::vector<std::int64_t> numbers;  // three a rank

  Everybody(const Communicator& comm, std::span<const std::int64_t> weights, std::int64_t load)
      : numbers(3 * static_cast<std::size_t>(comm.size())) {
    const std::vector<std::int64_t> mine{load, static_cast<std::int64_t>(weights.size()),
                                         largest(weights)};
    all_gather(comm, std::span<const std::int64_t>(mine), std::span(numbers));
  }

  [[nodiscard]] std::int64_t load(std::size_t r) const { return numbers[3 * r]; }
  [[nodiscard]] std::int64_t objects(std::size_t r) const { return numbers[3 * r + 1]; }
  [[nodiscard]] std::int64_t largest_weight(std::size_t r) const { return numbers[3 * r + 2]; }
};

/// Where the objects `first` … of this rank go.
std::vector<int> destinations_in(const Ranges& ranges, std::int64_t first, std::size_t count) {
  std::vector<int> destinations(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto past = std::ranges::upper_bound(ranges, first + static_cast<std::int64_t>(i));
    destinations[i] = static_cast<int>(past - ranges.begin()) - 1;
  }
  return destinations;
}

}  // namespace

std::int64_t least_largest_load(std::span<const std::int64_t> weights, int parts) {
  expect_parts(parts);
  const std::int64_t total = detail::checked_sum(weights, 1);
  return detail::least_limit(Chain(segment_of(weights, 0, 0)), {total, largest(weights), total},
                             parts);
}

NewRanges repartition(std::span<const std::int64_t> weights, const Ranges& current,
                      const MovingCost& cost) {
  cost.check();
  expect_ranges(current, weights.size());
  const std::int64_t total = detail::checked_sum(weights, 1);
  const Chain chain(segment_of(weights, 0, 0));
  std::vector<std::int64_t> before;
  for (const auto cut : current)
    before.push_back(chain.segment().weights[static_cast<std::size_t>(cut)]);
  return choose(chain, {total, largest(weights), largest_load(before)}, current, cost);
}

Repartition repartition(const Communicator& comm, std::span<const std::int64_t> weights,
                        const MovingCost& cost) {
  const auto load = together(comm, [&] {
    cost.check();
    return detail::checked_sum(weights, comm.size());
  });
  const Everybody all(comm, weights, load);
  ChainFacts facts;
  Ranges current{0};
  std::int64_t before = 0;
  for (std::size_t r = 0; r < static_cast<std::size_t>(comm.size()); ++r) {
    if (r == static_cast<std::size_t>(comm.rank())) before = facts.total;
    facts.total += all.load(r);
    facts.largest_load = std::max(facts.largest_load, all.load(r));
    facts.largest_weight = std::max(facts.largest_weight, all.largest_weight(r));
    current.push_back(current.back() + all.objects(r));
  }
  const std::int64_t first = current[static_cast<std::size_t>(comm.rank())];
  const Chain chain(comm, segment_of(weights, first, before));
  const auto chosen = choose(chain, facts, current, cost);
  return {chosen.change, destinations_in(chosen.ranges, first, weights.size())};
}

}  // namespace cairn::loadbalance
