#include "explore.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "cairn/core/error.hpp"
#include "cairn/core/expects.hpp"

namespace cairn::uts {

namespace {

/// Most nodes have fewer children; so many are wanted without a loop over their number.
constexpr std::size_t stride = 8;

/// A stack whose top can be taken and given in blocks.
class Stack {
 public:
  [[nodiscard]] bool empty() const { return size_ == 0; }

  /// Takes away the top, at most n nodes; valid until room().
  std::span<const Node> pop(std::size_t n) {
    n = std::min(n, size_);
    size_ -= n;
    return {nodes_.data() + size_, n};
  }

  /// Room for n nodes on top.
  Node* room(std::size_t n) {
    if (nodes_.size() < size_ + n) nodes_.resize(std::max(size_ + n, 2 * nodes_.size()));
    return nodes_.data() + size_;
  }

  /// The first n nodes of that room belong to the stack.
  void push(std::size_t n) { size_ += n; }

 private:
  std::vector<Node> nodes_;  // its size is the room that there is
  std::size_t size_ = 0;
};

}  // namespace

void Counts::merge(const Counts& other) noexcept {
  nodes += other.nodes;
  leaves += other.leaves;
  depth = std::max(depth, other.depth);
}

Expander::Expander(const Tree& tree, const Kernel& kernel, Leaves leaves)
    : tree_(tree), kernel_(kernel), leaves_(leaves), wanted_(block * max_children + stride) {}

std::size_t Expander::take(std::span<const Node> nodes, Counts& counts) {
  expects(nodes.size() <= block, "more nodes than a block");
  taken_ = nodes.size();
  std::copy(nodes.begin(), nodes.end(), nodes_.begin());
  std::size_t wanted = 0;
  std::size_t leaves = 0;
  std::int32_t depth = counts.depth;
  for (std::uint32_t i = 0; i < taken_; ++i) {
    const auto children = static_cast<std::size_t>(tree_.children_of(nodes_[i]));
    leaves += children == 0 ? 1 : 0;
    depth = std::max(depth, nodes_[i].depth);
    if (wanted_.size() < wanted + children + stride) [[unlikely]]
      wanted_.resize(wanted + children + stride + block * max_children);
    Child* to = wanted_.data() + wanted;
    // Eight entries at once, of which the next node writes over those that are too many: that is
    // cheaper than a loop whose end the CPU cannot foresee.
    for (std::uint32_t index = 0; index < stride; ++index) to[index] = {i, index};
    for (std::uint32_t index = stride; index < children; ++index) to[index] = {i, index};
    wanted += children;
  }
  if (depth == std::numeric_limits<std::int32_t>::max())
    throw Error(Errc::usage, "a node at depth " + std::to_string(depth) +
                                 ": trees that are so deep cannot be counted");
  counts.nodes += taken_;
  counts.leaves += leaves;
  counts.depth = depth;
  wanted_size_ = wanted;
  return wanted;
}

std::size_t Expander::give(Node* children, Counts& counts) {
  kernel_.spawn({nodes_.data(), taken_}, {wanted_.data(), wanted_size_}, children);
  if (leaves_ == Leaves::pushed) return wanted_size_;
  std::size_t kept = 0;
  std::int32_t depth = counts.depth;
  for (std::size_t i = 0; i < wanted_size_; ++i) {
    const Node child = children[i];
    depth = std::max(depth, child.depth);
    children[kept] = child;
    kept += tree_.is_leaf(child) ? 0 : 1;
  }
  counts.nodes += wanted_size_ - kept;
  counts.leaves += wanted_size_ - kept;
  counts.depth = depth;
  return kept;
}

Counts explore(const Tree& tree, const Kernel& kernel, Leaves leaves) {
  Expander expander(tree, kernel, leaves);
  Stack stack;
  Counts counts;
  *stack.room(1) = tree.root();
  stack.push(1);
  while (!stack.empty()) {
    Node* room = stack.room(expander.take(stack.pop(Expander::block), counts));
    stack.push(expander.give(room, counts));
  }
  return counts;
}

namespace {

/// What a pool calls with a block of nodes.
auto expansion(const Tree& tree, const Kernel& kernel, Leaves leaves) {
  static_assert(Expander::block >= loadbalance::WorkPool::block);
  return [expander = Expander(tree, kernel, leaves)](std::span<const Node> nodes,
                                                     loadbalance::Spawner<Node>& spawner,
                                                     Counts& counts) mutable {
    const auto room = spawner.grow(expander.take(nodes, counts));
    spawner.shrink(room.size() - expander.give(room.data(), counts));
  };
}

}  // namespace

std::vector<Node> roots_of(const Tree& tree, const Communicator& comm) {
  std::vector<Node> roots;
  if (comm.is_root()) roots.push_back(tree.root());
  return roots;
}

Counts explore(const Tree& tree, const Kernel& kernel, Leaves leaves, loadbalance::WorkPool& pool) {
  return pool.run<Node, Counts>(roots_of(tree, pool.comm()), expansion(tree, kernel, leaves));
}

std::optional<Counts> explore(const Tree& tree, const Kernel& kernel, Leaves leaves,
                              loadbalance::WorkPool& pool, TreeRun& run,
                              const loadbalance::CutOptions& cuts,
                              const loadbalance::Dealing<Node>& dealing) {
  if (!run.advance(pool, expansion(tree, kernel, leaves), cuts, dealing)) return std::nullopt;
  return pool.merged(run.state().results);
}

}  // namespace cairn::uts
