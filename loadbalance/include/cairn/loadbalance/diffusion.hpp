/// Load that flows to neighbours, as heat does: objects move a rank at a time.
///
///     auto plan = diffuse(comm, weights, {.graph = Graph::line});
///     if (plan.change.moves())
///       migrate(comm, cells, plan.destinations, [](const Cell& cell) { return cell.key; });
///
/// Moves little, and only between neighbours, but needs many calls where load has far to go;
/// repartition.hpp balances at once, and better.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "cairn/loadbalance/moving.hpp"

namespace cairn::loadbalance {

/// Who is whose neighbour.
enum class Graph : std::uint8_t {
  line,       ///< the ranks next to a rank; ranges of a curve stay ranges
  hypercube,  ///< ranks whose numbers differ in one bit, whatever the number of ranks
};

/// An edge of the graph, a < b.
struct Edge {
  int a = 0;
  int b = 0;
  friend bool operator==(const Edge&, const Edge&) = default;
};
[[nodiscard]] std::vector<Edge> edges_of(Graph graph, int ranks);

/// The weight that flows from a to b over each edge (negative: from b to a) in `rounds` rounds of
/// first-order diffusion. Pure.
///
/// In each round (load a - load b) / (1 + the larger number of neighbours of a and b), towards 0,
/// flows: no load gets negative, the total stays, the largest load never grows, and rounds end by
/// themselves where neighbours differ by no more than their number.
///
/// @param loads  of the ranks, 0 or more, less than 2^62 together
/// @throws Error{Errc::usage} for other loads, ranks of edges that are none, and negative rounds
/// @par Cost  rounds · edges
/// @par Source  Cybenko, "Dynamic load balancing for distributed memory multiprocessors",
///      J. Parallel Distrib. Comput. 7 (1989), doi:10.1016/0743-7315(89)90021-X
[[nodiscard]] std::vector<std::int64_t> diffusion_flows(std::span<const std::int64_t> loads,
                                                        std::span<const Edge> edges,
                                                        int rounds = 1);

/// A weight that flows out of a rank.
struct Outflow {
  int neighbour = 0;
  std::int64_t weight = 0;  ///< 0 or more
};

/// Objects to meet the flows out of rank `rank`: the rank of each, `rank` for those that stay.
/// Pure.
///
/// line: from the front to the rank before and from the back to the one behind, as many as do not
/// exceed the flow. hypercube: the heaviest first that still fit, so that few move; the largest
/// flow first. So no flow is exceeded, and an object that is heavier than the flow stays.
///
/// @param weights  of the objects of `rank`, 0 or more
[[nodiscard]] std::vector<int> objects_for(std::span<const std::int64_t> weights, Graph graph,
                                           int rank, std::span<const Outflow> flows);

struct DiffusionOptions {
  Graph graph = Graph::line;
  /// Rounds of flows, which add up, before objects move, once, between neighbours.
  int rounds = 1;
  MovingCost cost = {};
};

/// Objects that go to neighbours. Collective, blocking.
///
/// What a rank sends to a neighbour has to relieve it, over all steps, by more than it costs to
/// move; else it stays. That each rank decides for itself: the largest load, by which
/// Repartition::change reckons the gain, may fall only when those around it have made room. With
/// one round it never grows.
///
/// @param weights  of this rank's objects in their order, 0 or more, shape [n], n ≥ 0; less than
///                 2^62 / p together
/// @param options  equal on all ranks
/// @throws Error{Errc::usage} on all ranks when one has a weight, cost or number of rounds that is
///         none; {mpi_failure} on the ranks where MPI reports one
/// @par Determinism  integers: a function of weights and ranks
/// @par Cost  all ranks learn the loads of all, and compute all flows; an all_reduce of three
///      numbers a rank
[[nodiscard]] Repartition diffuse(const Communicator& comm, std::span<const std::int64_t> weights,
                                  const DiffusionOptions& options = {});

}  // namespace cairn::loadbalance
