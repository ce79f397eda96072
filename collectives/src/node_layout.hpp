/// How the ranks of a communicator lie on nodes.
#pragma once

#include <vector>

#include "cairn/collectives/communicator.hpp"

namespace cairn::detail {

/// The nodes of a communicator, seen from one rank. Nodes are numbered by their first rank, which
/// is their leader.
struct NodeLayout {
  /// Collective over `comm`. Ranks that can share memory are a node, or several of at most
  /// `ranks_per_node` ranks when that is not 0: neighbours, or dealt in turn.
  [[nodiscard]] static NodeLayout of(const Communicator& comm, int ranks_per_node, bool in_turn);

  Communicator node;     ///< the ranks of this node, by rank
  Communicator leaders;  ///< on leaders: the leaders, by node; unused elsewhere

  std::vector<int> node_of{};       ///< shape [p]: the node of each rank
  std::vector<int> rank_in_node{};  ///< shape [p]
  std::vector<int> first_rank{};    ///< shape [nodes]: the leaders
  std::vector<int> node_size{};     ///< shape [nodes]

  int cores = 1;                ///< that the ranks of a machine may use; the smallest machine's
  bool oversubscribed = false;  ///< on this machine or any other

  [[nodiscard]] int nodes() const noexcept { return static_cast<int>(first_rank.size()); }
  [[nodiscard]] int largest_node() const noexcept;
  [[nodiscard]] bool is_leader() const noexcept { return node.is_root(); }
  /// Whether every node has consecutive ranks.
  [[nodiscard]] bool consecutive() const noexcept;

  void fill_tables(const Communicator& comm, int leader);
};

}  // namespace cairn::detail
