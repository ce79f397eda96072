// Flows of load between ranks, and the objects that meet them.

#include "cairn/loadbalance/diffusion.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "cairn/core/error.hpp"
#include "drifting.hpp"

using namespace cairn::loadbalance;
using cairn::Error;
using namespace cairn::loadbalance::test;
using Loads = std::vector<std::int64_t>;

namespace {

Loads after(Loads loads, const std::vector<Edge>& edges, const Loads& flows) {
  for (std::size_t i = 0; i < edges.size(); ++i) {
    loads[static_cast<std::size_t>(edges[i].a)] -= flows[i];
    loads[static_cast<std::size_t>(edges[i].b)] += flows[i];
  }
  return loads;
}

std::int64_t sum(const Loads& loads) {
  return std::accumulate(loads.begin(), loads.end(), std::int64_t{0});
}

std::int64_t largest(const Loads& loads) { return *std::ranges::max_element(loads); }

/// Σ (load - mean)², times the ranks, squared.
double unevenness(const Loads& loads) {
  double result = 0;
  for (const auto load : loads) {
    const auto off =
        static_cast<double>(load * static_cast<std::int64_t>(loads.size()) - sum(loads));
    result += off * off;
  }
  return result;
}

constexpr Graph graphs[] = {Graph::line, Graph::hypercube};

}  // namespace

TEST_CASE("the graphs are what they are called") {
  CHECK(edges_of(Graph::line, 1).empty());
  CHECK(edges_of(Graph::hypercube, 1).empty());
  CHECK(edges_of(Graph::line, 4) == std::vector<Edge>{{0, 1}, {1, 2}, {2, 3}});
  CHECK(edges_of(Graph::hypercube, 4) == std::vector<Edge>{{0, 1}, {0, 2}, {1, 3}, {2, 3}});
  CHECK(edges_of(Graph::hypercube, 7).size() == 9);
  CHECK(edges_of(Graph::hypercube, 1024).size() == 5120);
}

TEST_CASE("one round by hand") {
  CHECK(diffusion_flows(Loads{9, 0, 0, 0}, edges_of(Graph::line, 4)) == Loads{3, 0, 0});
  CHECK(diffusion_flows(Loads{0, 0, 90}, edges_of(Graph::line, 3)) == Loads{0, -30});
  CHECK(diffusion_flows(Loads{30, 0, 0, 6}, edges_of(Graph::hypercube, 4)) ==
        Loads{10, 10, -2, -2});
  CHECK(diffusion_flows(Loads{9, 0}, edges_of(Graph::line, 2), 0) == Loads{0});
}

TEST_CASE("on a hypercube the modes die out as Cybenko's eigenvalues say") {
  // Dimension d with 1 / (d + 1): a load that alternates in k bits is multiplied by 1 - 2k/(d + 1).
  const auto edges = edges_of(Graph::hypercube, 8);
  for (const unsigned bits : {1U, 3U, 7U}) {
    const int k = __builtin_popcount(bits);
    Loads loads;
    for (unsigned r = 0; r < 8; ++r)
      loads.push_back(1'000'000 + (__builtin_popcount(r & bits) % 2 == 0 ? 4000 : -4000));
    const auto next = after(loads, edges, diffusion_flows(loads, edges));
    for (std::size_t r = 0; r < 8; ++r)
      CHECK((next[r] - 1'000'000) * 4 == (loads[r] - 1'000'000) * (4 - 2 * k));
  }
}

TEST_CASE(
    "load is conserved, the largest never grows, unevenness falls until neighbours are alike") {
  for (const auto graph : graphs) {
    for (const int ranks : {1, 2, 3, 4, 7, 8, 30}) {
      const auto edges = edges_of(graph, ranks);
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        auto loads = random_weights(seed, static_cast<std::size_t>(ranks), 1'000'000);
        while (true) {
          const auto next = after(loads, edges, diffusion_flows(loads, edges));
          CHECK(sum(next) == sum(loads));
          CHECK(*std::ranges::min_element(next) >= 0);
          CHECK(largest(next) <= largest(loads));
          if (next == loads) break;
          CHECK(unevenness(next) < unevenness(loads));
          loads = next;
        }
        const int most = graph == Graph::line ? 2 : 5;  // neighbours of a rank
        for (const auto& edge : edges)
          CHECK(std::abs(loads[static_cast<std::size_t>(edge.a)] -
                         loads[static_cast<std::size_t>(edge.b)]) <= most);
      }
    }
  }
}

TEST_CASE("rounds add up") {
  for (const auto graph : graphs) {
    const auto edges = edges_of(graph, 7);
    const auto start = random_weights(3, 7, 1000);
    auto loads = start;
    for (int round = 0; round < 9; ++round)
      loads = after(loads, edges, diffusion_flows(loads, edges));
    CHECK(after(start, edges, diffusion_flows(start, edges, 9)) == loads);
  }
}

TEST_CASE("objects meet the flows: from the ends of a range, or the heaviest that fit") {
  const Loads weights{3, 0, 4, 5, 1, 1, 2};
  const auto on_line = [&](std::vector<Outflow> flows) {
    return objects_for(weights, Graph::line, 5, flows);
  };
  CHECK(on_line({}) == std::vector<int>(7, 5));
  CHECK(on_line({{4, 6}}) == std::vector<int>{4, 4, 5, 5, 5, 5, 5});
  CHECK(on_line({{4, 7}, {6, 3}}) == std::vector<int>{4, 4, 4, 5, 5, 6, 6});
  CHECK(on_line({{4, 2}, {6, 1}}) == std::vector<int>(7, 5));
  CHECK(on_line({{4, 12}, {6, 100}}) == std::vector<int>{4, 4, 4, 4, 6, 6, 6});
  CHECK(objects_for({}, Graph::line, 5, std::vector<Outflow>{{4, 2}, {6, 1}}).empty());
  CHECK(objects_for(weights, Graph::hypercube, 0, std::vector<Outflow>{{1, 3}, {2, 6}}) ==
        std::vector<int>{1, 0, 0, 2, 2, 0, 0});
}

TEST_CASE("objects never exceed a flow") {
  for (const auto graph : graphs) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      const auto weights = random_weights(seed, seed % 40, 50);
      const auto wanted = random_weights(seed + 1000, 2, 300);
      const std::vector<Outflow> flows{{2, wanted[0]}, {4, wanted[1]}};
      const auto chosen = objects_for(weights, graph, 3, flows);
      Loads sent(5, 0);
      for (std::size_t i = 0; i < weights.size(); ++i)
        sent.at(static_cast<std::size_t>(chosen[i])) += weights[i];
      CHECK(sent[2] <= wanted[0]);
      CHECK(sent[4] <= wanted[1]);
      CHECK(sent[2] + sent[3] + sent[4] == sum(weights));
      if (graph == Graph::line) CHECK(std::ranges::is_sorted(chosen));
    }
  }
}

TEST_CASE("what makes no sense is refused") {
  const auto line = edges_of(Graph::line, 3);
  CHECK_THROWS_AS((void)diffusion_flows(Loads{1, -1, 2}, line), Error);
  CHECK_THROWS_AS((void)diffusion_flows(Loads{1, 1}, line), Error);
  CHECK_THROWS_AS((void)diffusion_flows(Loads{1, 1, 1}, line, -1), Error);
  CHECK_THROWS_AS((void)diffusion_flows(Loads{1, 1, 1}, std::vector<Edge>{{1, 1}}), Error);
}
