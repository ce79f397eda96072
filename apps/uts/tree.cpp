#include "tree.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

#include "cairn/core/error.hpp"
#include "sha1.hpp"

namespace cairn::uts {

namespace {

using enum TreeType;
using enum Shape;

constexpr std::uint32_t value_end = 0x80000000U;  // one behind the largest random value
constexpr int max_levels = 256;                   // deeper ones are rare: the formula will do
constexpr double max_branching = 1e6;
constexpr double pi = 3.141592653589793;

// Sizes as published with the benchmark, all counted again; the leaves of T1XXL, and depth and
// leaves of T3XXL, are not published.
constexpr std::array<NamedTree, 11> trees{{
    {"T1", {geometric, fixed, 10, 4, 19}, {4130071, 10, 3305118}},
    {"T1L", {geometric, fixed, 13, 4, 29}, {102181082, 13, 81746377}},
    {"T1XL", {geometric, fixed, 15, 4, 29}, {1635119272, 15, 1308100063}},
    {"T1XXL", {geometric, fixed, 15, 4, 19}, {4230646601, 15, 3384495738}},
    {"T2", {geometric, cyclic, 16, 6, 502}, {4117769, 81, 2342762}},
    {"T2L", {geometric, cyclic, 23, 7, 220}, {96793510, 67, 53791152}},
    {"T3", {binomial, linear, 6, 2000, 42, 0.124875, 8}, {4112897, 1572, 3599034}},
    {"T3L", {binomial, linear, 6, 2000, 7, 0.200014, 5}, {111345631, 17844, 89076904}},
    {"T3XXL", {binomial, linear, 6, 2000, 316, 0.499995, 2}, {2793220501, 99049, 1396611250}},
    {"T4", {hybrid, linear, 16, 6, 1, 0.234375, 4}, {4132453, 134, 3108986}},
    {"T5", {geometric, linear, 20, 4, 34}, {4147582, 20, 2181318}},
}};

double probability(std::uint32_t value) { return static_cast<double>(value) / value_end; }

/// Expected children of a node of a geometric tree.
double expected_children(const TreeParameters& tree, std::int32_t depth) {
  const double b = tree.branching;
  if (depth == 0) return b;
  switch (tree.shape) {
    case exponential:
      return b * std::pow(depth, -std::log(b) / std::log(tree.depth));
    case cyclic:
      return depth > 5 * tree.depth ? 0 : std::pow(b, std::sin(2 * pi * depth / tree.depth));
    case fixed:
      return depth < tree.depth ? b : 0;
    case linear:
      break;
  }
  return depth < tree.depth ? b * (1 - static_cast<double>(depth) / tree.depth) : 0;
}

bool is_geometric_at(const TreeParameters& tree, std::int32_t depth) {
  if (tree.type == hybrid) return depth < 0.5 * tree.depth;
  return tree.type == geometric;
}

int geometric_children(const TreeParameters& tree, std::int32_t depth, std::uint32_t value) {
  const double p = 1 / (1 + expected_children(tree, depth));
  const double n = std::floor(std::log(1 - probability(value)) / std::log(1 - p));
  return static_cast<int>(std::min<double>(n, max_children));
}

int binomial_children(const TreeParameters& tree, std::int32_t depth, std::uint32_t value) {
  if (depth == 0) return static_cast<int>(tree.branching);
  return probability(value) < tree.probability ? tree.children : 0;
}

/// The depth from which on nothing changes with it.
std::int32_t last_level(const TreeParameters& tree) {
  switch (tree.type) {
    case binomial:
      return 1;
    case hybrid:
      return std::max(1, static_cast<std::int32_t>(std::ceil(0.5 * tree.depth)));
    case geometric:
      break;
  }
  if (tree.shape == exponential) return std::numeric_limits<std::int32_t>::max();
  return tree.shape == cyclic ? 5 * tree.depth + 1 : tree.depth;
}

/// Nodes of the subtree of a node at depth 0, 1, … on average; what is deeper is as the last.
std::vector<double> expected_sizes(const TreeParameters& tree, std::int32_t last) {
  constexpr double most = 1e18;
  const double grow = tree.probability * tree.children;
  const double binomial_size = grow < 1 ? std::min(1 / (1 - grow), most) : most;
  std::vector<double> sizes(static_cast<std::size_t>(last) + 2, binomial_size);
  if (tree.type == binomial) return sizes;
  if (tree.type == geometric) sizes.back() = 1;
  for (std::int32_t depth = last; depth >= 0; --depth)
    if (const auto d = static_cast<std::size_t>(depth); is_geometric_at(tree, depth))
      sizes[d] = std::min(1 + expected_children(tree, depth) * sizes[d + 1], most);
  return sizes;
}

/// The probability that a binomial tree ends: each of its b subtrees ends with the smallest s that
/// has s = 1 - q + q * s^m (a Galton-Watson process).
double probability_to_end(const TreeParameters& tree) {
  // The share of the random values below --probability.
  const double q = std::ceil(tree.probability * value_end) / value_end;
  if (q < 1 && q * tree.children <= 1) return 1;  // at 1 one child makes a chain without an end
  double s = 0;
  for (int i = 0; i < 1000000; ++i) {
    const double next = 1 - q + q * std::pow(s, tree.children);
    if (next <= s) break;
    s = next;
  }
  return std::pow(s, tree.type == binomial ? std::floor(tree.branching) : 1);
}

void require(bool holds, const std::string& message) {
  if (!holds) throw Error(Errc::usage, message);
}

void check(const TreeParameters& tree) {
  require(tree.type >= binomial && tree.type <= hybrid,
          "--type is 0 (binomial), 1 (geometric) or 2 (hybrid)");
  require(tree.shape >= linear && tree.shape <= fixed,
          "--shape is 0 (linear), 1 (exponential), 2 (cyclic) or 3 (fixed)");
  require(tree.branching > 0 && tree.branching <= max_branching,
          "--branching is more than 0 and at most 1000000");
  if (tree.type != binomial) {
    const int least = tree.shape == exponential ? 2 : 1;
    require(tree.depth >= least && tree.depth <= 1000000,
            "--depth is from " + std::to_string(least) + " to 1000000 for this tree");
  }
  if (tree.type == geometric) return;
  require(tree.children >= 0 && tree.children <= max_children,
          "--children is from 0 to " + std::to_string(max_children));
  require(tree.probability >= 0 && tree.probability <= 1, "--probability is from 0 to 1");
  require(probability_to_end(tree) > 1e-6,
          "this tree would never end: --probability times --children is too far above 1, or both "
          "are 1");
}

}  // namespace

std::string describe(const Node& node) {
  char text[64];
  std::snprintf(text, sizeof text, "%08x%08x%08x%08x%08x at depth %d", node.state[0], node.state[1],
                node.state[2], node.state[3], node.state[4], node.depth);
  return text;
}

std::span<const NamedTree> named_trees() { return trees; }

const NamedTree* find_tree(std::string_view name) {
  const auto* found = std::find_if(trees.begin(), trees.end(),
                                   [&](const NamedTree& tree) { return tree.name == name; });
  return found == trees.end() ? nullptr : found;
}

int children_by_formula(const TreeParameters& tree, std::int32_t depth, std::uint32_t value) {
  return is_geometric_at(tree, depth) ? geometric_children(tree, depth, value)
                                      : binomial_children(tree, depth, value);
}

Tree::Level::Level(const TreeParameters& tree, std::int32_t depth)
    : flip_(is_geometric_at(tree, depth) ? 0 : value_end - 1) {
  const auto children_of_key = [&](std::uint32_t key) {
    return children_by_formula(tree, depth, key ^ flip_);
  };
  from_.fill(value_end);
  from_[0] = 0;
  const int most = children_of_key(value_end - 1);
  std::uint32_t low = 0;
  for (int n = 1; n <= most; ++n) {
    std::uint32_t high = value_end - 1;  // this key has n children or more
    while (low < high) {
      const std::uint32_t middle = low + (high - low) / 2;
      if (children_of_key(middle) >= n)
        high = middle;
      else
        low = middle + 1;
    }
    from_[static_cast<std::size_t>(n)] = low;
  }
  for (std::uint32_t bucket = 0; bucket < at_least_.size(); ++bucket) {
    const auto* above = std::upper_bound(from_.begin(), from_.end(), bucket << bucket_bits);
    at_least_[bucket] = static_cast<std::uint8_t>(above - from_.begin() - 1);
  }
}

Tree::Tree(const TreeParameters& parameters) : parameters_(parameters) {
  check(parameters);
  const std::int32_t last = std::min(last_level(parameters), max_levels);
  last_level_is_for_the_rest_ = last == last_level(parameters);
  levels_.reserve(static_cast<std::size_t>(last));
  for (std::int32_t depth = 1; depth <= last; ++depth) levels_.emplace_back(parameters, depth);
  root_children_ = children_by_formula(parameters, 0, root().value());
  expected_ = expected_sizes(parameters, last);
}

double Tree::expected_below(const Node& node) const noexcept {
  const auto below = std::min(static_cast<std::size_t>(node.depth) + 1, expected_.size() - 1);
  return children_of(node) * expected_[below];
}

Node Tree::root() const { return root_of(parameters_.seed); }

}  // namespace cairn::uts
