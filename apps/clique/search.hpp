// A largest clique, by branch and bound.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/loadbalance/pool_report.hpp"
#include "graph.hpp"

namespace cairn::clique {

struct SearchOptions {
  int threads = 1;  ///< of each rank
  /// The branches of cliques of fewer vertices are tasks that any rank may go on with; from there
  /// on a thread searches alone.
  int task_depth = 2;
  /// So many nodes, at least 1; what is left of the subproblem then becomes tasks again.
  std::uint64_t task_nodes = 20000;
  /// Ends when a clique of so many vertices is found; 0: when it is proved that none is larger.
  int target = 0;
  /// Tasks of all ranks between two cuts, about; 0: when the Checkpointer wants one.
  std::uint64_t cut_every = 0;
  /// Called every now and then, as WorkPoolOptions say, with the tasks of this rank in parts of the
  /// search that are over.
  std::function<void(const loadbalance::PoolPulse&, std::uint64_t before)> pulse = {};
  double pulse_seconds = 1;
};

struct SearchResult {
  std::vector<int> members = {};  ///< of the largest clique that was found, ascending
  bool is_proved = false;         ///< no clique is larger
  bool is_stopped = false;        ///< by a signal or a time limit
  std::uint64_t nodes = 0;        ///< of the search tree, of launches before too
  std::optional<std::uint64_t> restored_from = {};  ///< the cut
  std::uint64_t cut = 0;                            ///< the last one
  loadbalance::WorkPoolReport report = {};          ///< of this rank
};

/// Looks for a largest clique with all threads of all ranks. Collective, blocking.
///
/// The size is the same in every run that is_proved; which clique of that size it is, and the
/// number of nodes, are not: they depend on who finds what first.
///
/// @param graph  equal on all ranks
/// @param ckpt   of `comm`, without registered fields; the search goes on from its newest cut
/// @return the same on all ranks, but for the report
/// @throws what WorkPool and Checkpointer throw
///
/// Sources: bounds by greedy colouring, Tomita, Seki, "An efficient branch-and-bound algorithm for
/// finding a maximum clique", DMTCS 2003, doi:10.1007/3-540-45066-1_22; with sets in words, San
/// Segundo, Rodríguez-Losada, Jiménez, "An exact bit-parallel algorithm for the maximum clique
/// problem", Computers & Operations Research 38 (2011), doi:10.1016/j.cor.2010.07.019.
[[nodiscard]] SearchResult find_clique(const Communicator& comm, const Graph& graph,
                                       const SearchOptions& options, ckpt::Checkpointer& ckpt);

}  // namespace cairn::clique
