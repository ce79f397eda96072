#include "cairn/loadbalance/diffusion.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <string>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/error.hpp"

namespace cairn::loadbalance {

namespace {

std::size_t index(int i) { return static_cast<std::size_t>(i); }

void expect_edges(std::span<const Edge> edges, std::size_t ranks) {
  for (const auto& edge : edges)
    if (edge.a < 0 || edge.a >= edge.b || index(edge.b) >= ranks)
      throw Error(Errc::usage, "an edge from " + std::to_string(edge.a) + " to " +
                                   std::to_string(edge.b) +
                                   ": it joins two ranks, the lower first");
}

void expect_rounds(int rounds) {
  if (rounds < 0)
    throw Error(Errc::usage, std::to_string(rounds) + " rounds: there may be 0 or more");
}

/// Into how many parts a difference of load is cut on each edge; the largest such fraction for
/// which no rank gives more than it has, and all converges.
std::vector<std::int64_t> divisors(std::span<const Edge> edges, std::size_t ranks) {
  std::vector<std::int64_t> neighbours(ranks, 0);
  for (const auto& edge : edges) {
    ++neighbours[index(edge.a)];
    ++neighbours[index(edge.b)];
  }
  std::vector<std::int64_t> parts;
  for (const auto& edge : edges)
    parts.push_back(1 + std::max(neighbours[index(edge.a)], neighbours[index(edge.b)]));
  return parts;
}

/// How many objects from `from` on, by `step`, do not exceed the flow; at most `count`.
std::size_t take_from(std::span<const std::int64_t> weights, std::size_t from, int step,
                      std::size_t count, std::int64_t flow) {
  std::size_t taken = 0;
  while (taken < count && flow > 0 && weights[from] <= flow) {
    flow -= weights[from];
    from += static_cast<std::size_t>(step);  // wraps around behind the first
    ++taken;
  }
  return taken;
}

std::vector<int> ends(std::span<const std::int64_t> weights, int rank,
                      std::span<const Outflow> flows) {
  std::vector<int> destinations(weights.size(), rank);
  std::size_t left = 0;  // objects that have gone to the front
  for (const auto& flow : flows)
    if (flow.neighbour < rank) {
      left = take_from(weights, 0, 1, weights.size(), flow.weight);
      std::fill_n(destinations.begin(), left, flow.neighbour);
    }
  for (const auto& flow : flows)
    if (flow.neighbour > rank) {
      const auto right =
          take_from(weights, weights.size() - 1, -1, weights.size() - left, flow.weight);
      std::fill_n(destinations.rbegin(), right, flow.neighbour);
    }
  return destinations;
}

std::vector<int> heaviest(std::span<const std::int64_t> weights, int rank,
                          std::span<const Outflow> flows) {
  std::vector<int> destinations(weights.size(), rank);
  std::vector<std::size_t> order(weights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) { return weights[i]; });
  std::vector<Outflow> largest_first(flows.begin(), flows.end());
  std::ranges::stable_sort(largest_first, std::greater<>(), &Outflow::weight);
  for (auto& flow : largest_first)
    for (const std::size_t i : order)
      if (destinations[i] == rank && weights[i] > 0 && weights[i] <= flow.weight) {
        destinations[i] = flow.neighbour;
        flow.weight -= weights[i];
      }
  return destinations;
}

std::vector<Outflow> outflows_of(int rank, std::span<const Edge> edges,
                                 std::span<const std::int64_t> flows) {
  std::vector<Outflow> out;
  for (std::size_t i = 0; i < edges.size(); ++i) {
    if (edges[i].a == rank && flows[i] > 0) out.push_back({edges[i].b, flows[i]});
    if (edges[i].b == rank && flows[i] < 0) out.push_back({edges[i].a, -flows[i]});
  }
  return out;
}

/// Objects whose move costs more than it relieves this rank stay.
void keep_what_is_not_worth_it(std::span<const std::int64_t> weights, int rank,
                               std::span<const Outflow> flows, const MovingCost& cost,
                               std::vector<int>& destinations) {
  for (const auto& flow : flows) {
    std::int64_t weight = 0;
    std::uint64_t objects = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (destinations[i] != flow.neighbour) continue;
      weight += weights[i];
      ++objects;
    }
    const double gain = static_cast<double>(weight) * cost.seconds_per_weight * cost.steps;
    const auto bytes = static_cast<double>(objects * cost.bytes_per_object);
    if (gain <= bytes * cost.seconds_per_byte)
      std::ranges::replace(destinations, flow.neighbour, rank);
  }
}

/// What the ranks have, send and receive after a move.
struct Moves {
  std::vector<std::int64_t> loads;
  std::vector<std::int64_t> sent;
  std::vector<std::int64_t> received;

  Moves(const Communicator& comm, std::span<const std::int64_t> weights,
        std::span<const int> destinations) {
    for (auto* numbers : {&loads, &sent, &received}) numbers->assign(index(comm.size()), 0);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      loads[index(destinations[i])] += weights[i];
      if (destinations[i] == comm.rank()) continue;
      ++sent[index(comm.rank())];
      ++received[index(destinations[i])];
    }
    for (auto* numbers : {&loads, &sent, &received}) all_reduce(comm, std::span(*numbers));
  }
};

}  // namespace

std::vector<Edge> edges_of(Graph graph, int ranks) {
  std::vector<Edge> edges;
  for (int a = 0; a < ranks; ++a) {
    if (graph == Graph::line && a + 1 < ranks) edges.push_back({a, a + 1});
    for (std::int64_t bit = 1; graph == Graph::hypercube && bit < ranks; bit *= 2)
      if ((a & bit) == 0 && (a | bit) < ranks) edges.push_back({a, static_cast<int>(a | bit)});
  }
  return edges;
}

std::vector<std::int64_t> diffusion_flows(std::span<const std::int64_t> loads,
                                          std::span<const Edge> edges, int rounds) {
  expect_rounds(rounds);
  expect_edges(edges, loads.size());
  (void)detail::checked_sum(loads, 1);
  const auto parts = divisors(edges, loads.size());
  std::vector<std::int64_t> now(loads.begin(), loads.end());
  std::vector<std::int64_t> flows(edges.size(), 0);
  for (bool flowing = true; flowing && rounds > 0; --rounds) {
    flowing = false;
    const auto before = now;
    for (std::size_t i = 0; i < edges.size(); ++i) {
      const auto [a, b] = edges[i];
      const std::int64_t flow = (before[index(a)] - before[index(b)]) / parts[i];
      flows[i] += flow;
      now[index(a)] -= flow;
      now[index(b)] += flow;
      flowing = flowing || flow != 0;
    }
  }
  return flows;
}

std::vector<int> objects_for(std::span<const std::int64_t> weights, Graph graph, int rank,
                             std::span<const Outflow> flows) {
  return graph == Graph::line ? ends(weights, rank, flows) : heaviest(weights, rank, flows);
}

Repartition diffuse(const Communicator& comm, std::span<const std::int64_t> weights,
                    const DiffusionOptions& options) {
  const auto load = together(comm, [&] {
    options.cost.check();
    expect_rounds(options.rounds);
    return detail::checked_sum(weights, comm.size());
  });
  std::vector<std::int64_t> loads(index(comm.size()));
  all_gather(comm, std::span<const std::int64_t>(&load, 1), std::span(loads));
  const auto edges = edges_of(options.graph, comm.size());
  const auto flows = diffusion_flows(loads, edges, options.rounds);
  const auto mine = outflows_of(comm.rank(), edges, flows);
  Repartition plan;
  plan.destinations = objects_for(weights, options.graph, comm.rank(), mine);
  keep_what_is_not_worth_it(weights, comm.rank(), mine, options.cost, plan.destinations);
  const Moves moves(comm, weights, plan.destinations);
  plan.change = {.ranks = comm.size(),
                 .total = std::accumulate(loads.begin(), loads.end(), std::int64_t{0}),
                 .largest_before = *std::ranges::max_element(loads),
                 .largest_after = *std::ranges::max_element(moves.loads)};
  plan.change = detail::weigh(plan.change, moves.sent, moves.received, options.cost);
  return plan;
}

}  // namespace cairn::loadbalance
