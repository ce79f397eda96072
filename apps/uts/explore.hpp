// Walking through a tree.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cairn/loadbalance/checkpointed_run.hpp"
#include "cairn/loadbalance/work_pool.hpp"
#include "node.hpp"
#include "sha1.hpp"
#include "tree.hpp"

namespace cairn::uts {

/// What is counted, of a whole tree or of a part of it.
struct Counts {
  std::uint64_t nodes = 0;
  std::uint64_t leaves = 0;
  std::int32_t depth = 0;  ///< of the deepest node

  /// Exact, so that the result does not depend on how a tree is dealt out.
  void merge(const Counts& other) noexcept;

  friend bool operator==(const Counts&, const Counts&) = default;
};

/// Whether children without children of their own become tasks like all others, or are counted as
/// soon as they are known.
enum class Leaves { pushed, counted };

/// Takes nodes, a block at a time, and gives their children. It does not know where nodes wait, so
/// a stack and a pool of work can use it alike:
///
///     const std::size_t n = expander.take(block, counts);   // n children are to come
///     const std::size_t made = expander.give(room, counts);  // room: n nodes; made: to go on
///
/// For one thread.
class Expander {
 public:
  /// Nodes that one take() may have; more at once hash faster, and are pushed and popped together.
  static constexpr std::size_t block = 128;

  /// @param tree  lives as long as this
  Expander(const Tree& tree, const Kernel& kernel, Leaves leaves = Leaves::pushed);

  /// Counts the nodes.
  /// @param nodes  at most `block` of them; copied, so that give() may write over them
  /// @return how many children they have
  /// @throws Error{Errc::usage} for a node at the largest depth that a Node can have
  /// @par Cost  allocates only when the children are more than ever before
  std::size_t take(std::span<const Node> nodes, Counts& counts);

  /// The children of the nodes that were taken.
  /// @param children  room for as many as take() said
  /// @return how many stand in `children` now: all, or those that are no leaves (Leaves::counted)
  std::size_t give(Node* children, Counts& counts);

 private:
  const Tree& tree_;
  Kernel kernel_;
  Leaves leaves_;
  std::array<Node, block> nodes_{};
  std::size_t taken_ = 0;
  std::vector<Child> wanted_;
  std::size_t wanted_size_ = 0;
};

/// Counts the tree depth first, on this thread alone. Local, no MPI.
/// @par Memory  the widest part of the stack, 24 bytes a node; at least the children of the root
[[nodiscard]] Counts explore(const Tree& tree, const Kernel& kernel,
                             Leaves leaves = Leaves::pushed);

/// Counts the tree on all threads of all ranks of the pool. Collective, blocking; equal on all
/// ranks.
[[nodiscard]] Counts explore(const Tree& tree, const Kernel& kernel, Leaves leaves,
                             loadbalance::WorkPool& pool);

using TreeRun = loadbalance::CheckpointedRun<Node, Counts>;

/// Where a new run begins: the root, on rank 0.
[[nodiscard]] std::vector<Node> roots_of(const Tree& tree, const Communicator& comm);

/// The same of a run that may be saved, and gone on with. Collective, blocking.
/// @return the counts, or nothing when the program was asked to stop
[[nodiscard]] std::optional<Counts> explore(const Tree& tree, const Kernel& kernel, Leaves leaves,
                                            loadbalance::WorkPool& pool, TreeRun& run,
                                            const loadbalance::CutOptions& cuts,
                                            const loadbalance::Dealing<Node>& dealing = {});

}  // namespace cairn::uts
