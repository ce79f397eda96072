// The largest clique, on any number of ranks and threads: published sizes, and all subsets of small
// graphs.
#include "search.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "../support/mpi_test.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/random.hpp"

using namespace cairn;
using namespace cairn::clique;
using cairn::test::world;

namespace {

SearchResult search(const Graph& graph, const SearchOptions& options) {
  ckpt::Checkpointer ckpt(world(), {});
  auto result = find_clique(world(), graph, options, ckpt);
  CHECK(is_clique(graph, result.members));
  CHECK(std::ranges::is_sorted(result.members));
  // The same clique on all ranks.
  std::vector<int> others = result.members;
  const int size = bcast(world(), static_cast<int>(others.size()));
  CHECK(size == static_cast<int>(others.size()));
  others.resize(static_cast<std::size_t>(size));
  bcast(world(), std::span(others));
  CHECK(others == result.members);
  return result;
}

/// By looking at all subsets.
std::size_t largest_by_force(const Graph& graph) {
  std::vector<std::uint32_t> rows(static_cast<std::size_t>(graph.vertices()));
  for (int a = 0; a < graph.vertices(); ++a)
    for (int b = 0; b < graph.vertices(); ++b)
      if (graph.adjacent(a, b)) rows[static_cast<std::size_t>(a)] |= 1U << b;
  int largest = 0;
  for (std::uint32_t set = 0; set < 1U << graph.vertices(); ++set) {
    bool is_one = true;
    for (std::uint32_t left = set; left != 0 && is_one; left &= left - 1) {
      const auto vertex = static_cast<unsigned>(std::countr_zero(left));
      is_one = (set & ~rows[vertex] & ~(1U << vertex)) == 0;
    }
    if (is_one) largest = std::max(largest, std::popcount(set));
  }
  return static_cast<std::size_t>(largest);
}

Graph random_graph(std::uint64_t seed, int vertices, std::uint64_t percent) {
  const Random random(seed, 3);
  std::uint64_t draws = 0;
  Graph graph(vertices);
  for (int a = 0; a < vertices; ++a)
    for (int b = 0; b < a; ++b)
      if (random.below(draws++, 100) < percent) graph.connect(a, b);
  return graph;
}

}  // namespace

TEST_CASE("published clique numbers") {
  struct Known {
    const char* name;
    std::size_t size;
  };
  for (const int threads : {1, 2})
    for (const Known& known :
         {Known{"hamming6-2", 32}, Known{"hamming6-4", 4}, Known{"hamming8-2", 128},
          Known{"hamming8-4", 16}, Known{"johnson8-2-4", 4}, Known{"johnson8-4-4", 14},
          Known{"keller4", 11}}) {
      CAPTURE(known.name);
      CAPTURE(threads);
      const auto result = search(*named_graph(known.name), {.threads = threads});
      CHECK(result.members.size() == known.size);
      CHECK(result.is_proved);
      CHECK(result.nodes > 0);
    }
}

TEST_CASE("a target ends the search") {
  struct Known {
    const char* name;
    int size;
  };
  for (const Known& known :
       {Known{"keller4", 9}, Known{"johnson32-2-4", 16}, Known{"hamming10-4", 30}}) {
    CAPTURE(known.name);
    const auto result = search(*named_graph(known.name), {.target = known.size});
    CHECK(result.members.size() >= static_cast<std::size_t>(known.size));
    CHECK_FALSE(result.is_proved);
  }
}

TEST_CASE("sets of the greatest width") {
  // Three words of 11 bits cannot all be 8 apart (Plotkin's bound).
  const auto result = search(*named_graph("hamming11-8"), {.threads = 2});
  CHECK(result.members.size() == 2);
  CHECK(result.is_proved);
}

TEST_CASE("as all subsets of small graphs say, whatever becomes a task") {
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    const Graph graph = random_graph(seed, static_cast<int>(1 + seed % 14), 20 + 15 * (seed % 6));
    const auto wanted = largest_by_force(graph);
    const auto result = search(graph, {.threads = static_cast<int>(1 + seed % 2),
                                       .task_depth = static_cast<int>(seed % 4),
                                       .task_nodes = 1 + 9 * (seed % 3)});
    CAPTURE(seed);
    CHECK(result.members.size() == wanted);
    CHECK(result.is_proved);
  }
}

TEST_CASE("graphs without edges, and without vertices") {
  CHECK(search(Graph(0), {}).members.empty());
  CHECK(search(Graph(1), {}).members.size() == 1);
  CHECK(search(Graph(70), {.threads = 2}).members.size() == 1);
}
