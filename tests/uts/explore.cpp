#include "explore.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "allocations.hpp"
#include "cairn/core/error.hpp"

using namespace cairn::uts;

namespace {

TreeSize size_of(const Counts& counts) { return {counts.nodes, counts.depth, counts.leaves}; }

/// A few thousand nodes each, of every type and shape.
std::vector<TreeParameters> small_trees() {
  std::vector<TreeParameters> trees;
  for (const std::uint32_t seed : {1, 2, 3}) {
    for (const auto shape : {Shape::linear, Shape::cyclic, Shape::fixed})
      trees.push_back({TreeType::geometric, shape, 4, 4, seed});
    trees.push_back({TreeType::geometric, Shape::exponential, 5, 1.5, seed});
    trees.push_back({TreeType::binomial, Shape::linear, 6, 700, seed, 0.12, 8});
    trees.push_back({TreeType::hybrid, Shape::linear, 8, 4, seed, 0.2, 4});
  }
  return trees;
}

/// One node after the other, by the formula.
Counts plain_count(const Tree& tree) {
  Counts counts;
  std::vector<Node> stack{tree.root()};
  while (!stack.empty()) {
    const Node node = stack.back();
    stack.pop_back();
    const int n = children_by_formula(tree.parameters(), node.depth, node.value());
    counts.merge({1, n == 0 ? 1U : 0U, node.depth});
    std::vector<Node> children(static_cast<std::size_t>(n));
    spawn(kernel("portable"), node, 0, children);
    stack.insert(stack.end(), children.begin(), children.end());
  }
  return counts;
}

}  // namespace

TEST_CASE("small trees of all kinds have the size of a plain count, by all kernels") {
  for (const auto& parameters : small_trees()) {
    const Tree tree(parameters);
    const Counts expected = plain_count(tree);
    for (const Kernel& kernel : kernels())
      for (const Leaves leaves : {Leaves::pushed, Leaves::counted}) {
        CAPTURE(kernel.name);
        CHECK(explore(tree, kernel, leaves) == expected);
      }
  }
}

TEST_CASE("published trees have the published sizes") {
  for (const auto* name : {"T1", "T2", "T3", "T4", "T5"}) {
    CAPTURE(name);
    const NamedTree& named = *find_tree(name);
    CHECK(size_of(explore(Tree(named.parameters), kernel())) == named.size);
  }
  const NamedTree& named = *find_tree("T1");
  CHECK(size_of(explore(Tree(named.parameters), kernel(), Leaves::counted)) == named.size);
}

TEST_CASE("a block gives all children of its nodes, in their order") {
  const Tree tree({TreeType::binomial, Shape::linear, 6, 2000, 42, 0.124875, 8});
  Expander expander(tree, kernel());
  Counts counts;
  const Node root = tree.root();
  const std::size_t n = expander.take({&root, 1}, counts);
  CHECK(n == 2000);
  CHECK(counts == Counts{1, 0, 0});
  std::vector<Node> children(n), expected(n);
  CHECK(expander.give(children.data(), counts) == n);
  spawn(kernel("portable"), root, 0, expected);
  CHECK(children == expected);
  CHECK(expander.take({}, counts) == 0);
  CHECK(expander.give(children.data(), counts) == 0);
}

TEST_CASE("a block allocates nothing, unless it has more children than any before") {
  const Tree tree(find_tree("T1")->parameters);
  for (const Kernel& kernel : kernels()) {
    Expander expander(tree, kernel);
    Counts counts;
    std::vector<Node> nodes(Expander::block), children(Expander::block * max_children);
    spawn(kernel, tree.root(), 0, nodes);
    const auto before = cairn::test::allocations();
    const std::size_t n = expander.take(nodes, counts);
    CHECK(expander.give(children.data(), counts) == n);
    CHECK(cairn::test::allocations() == before);
  }
}

TEST_CASE("a node whose children's depth no longer fits into 32 bits is an error") {
  const Tree tree({TreeType::binomial, Shape::linear, 6, 1, 0, 0.999999999, 1});
  Expander expander(tree, kernel());
  Counts counts;
  Node node{{0, 0, 0, 0, 0}, std::numeric_limits<std::int32_t>::max() - 1};
  CHECK(expander.take({&node, 1}, counts) == 1);
  CHECK(expander.give(&node, counts) == 1);
  CHECK(node.depth == std::numeric_limits<std::int32_t>::max());
  CHECK_THROWS_WITH_AS((void)expander.take({&node, 1}, counts),
                       doctest::Contains("depth 2147483647"), cairn::Error);
}

TEST_CASE("counts of parts are merged without loss") {
  Counts sum{5, 3, 2};
  sum.merge({1ULL << 40, 7, 1});
  sum.merge({});
  CHECK(sum == Counts{(1ULL << 40) + 5, 10, 2});
}
