// The trees of the Unbalanced Tree Search benchmark: how many children a node has.
//
// Source: S. Olivier, J. Huan, J. Liu, J. Prins, J. Dinan, P. Sadayappan, C.-W. Tseng, UTS: An
// Unbalanced Tree Search Benchmark, LCPC 2006, doi:10.1007/978-3-540-72521-3_18.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "node.hpp"

namespace cairn::uts {

/// No other node than the root of a binomial tree has more children.
inline constexpr int max_children = 100;

enum class TreeType { binomial = 0, geometric = 1, hybrid = 2 };
/// How the expected number of children changes with the depth in geometric trees.
enum class Shape { linear = 0, exponential = 1, cyclic = 2, fixed = 3 };

/// What defines a tree. The names behind the slashes are the options of the reference program.
struct TreeParameters {
  TreeType type = TreeType::geometric;  ///< -t
  Shape shape = Shape::linear;          ///< -a; for geometric and hybrid trees
  int depth = 6;                        ///< -d; where geometric trees end, or shrink from
  double branching = 4;                 ///< -b; expected children of the root
  std::uint32_t seed = 0;               ///< -r
  double probability = 15.0 / 64;       ///< -q; that a node of a binomial tree has children
  int children = 4;                     ///< -m; how many it has then

  friend bool operator==(const TreeParameters&, const TreeParameters&) = default;
};

/// What an exploration must find, exactly.
struct TreeSize {
  std::uint64_t nodes;
  std::int32_t depth;
  std::uint64_t leaves;

  friend bool operator==(const TreeSize&, const TreeSize&) = default;
};

struct NamedTree {
  std::string_view name;
  TreeParameters parameters;
  TreeSize size;
};

/// T1, T1L, … with the sizes that are known of them.
[[nodiscard]] std::span<const NamedTree> named_trees();
/// The named tree of this name, or nothing.
[[nodiscard]] const NamedTree* find_tree(std::string_view name);

/// The number of children by the formula of the benchmark, with libm.
/// @param value  31 random bits of the node
[[nodiscard]] int children_by_formula(const TreeParameters& tree, std::int32_t depth,
                                      std::uint32_t value);

/// A tree, ready to be grown. The formula has logarithms in it, and its result only rises (or, in
/// binomial trees, falls) with the random value; so the values where it changes are looked for once
/// for every depth, and found again by a few comparisons.
///
/// Thread-safe, and without allocation after construction.
class Tree {
 public:
  /// @throws Error{Errc::usage} for parameters out of range, and for trees that do not end
  explicit Tree(const TreeParameters& parameters);

  [[nodiscard]] const TreeParameters& parameters() const noexcept { return parameters_; }
  [[nodiscard]] Node root() const;

  [[nodiscard]] int children_of(const Node& node) const noexcept {
    if (node.depth == 0) return root_children_;
    const Level* const level = level_of(node);
    return level == nullptr ? children_by_formula(parameters_, node.depth, node.value())
                            : level->children(node.value());
  }

  /// How many nodes are to be expected below: of the children that it has, each of the size that
  /// those of their depth have on average.
  [[nodiscard]] double expected_below(const Node& node) const noexcept;

  /// Of no children: quicker to say than how many.
  [[nodiscard]] bool is_leaf(const Node& node) const noexcept {
    const Level* const level = node.depth == 0 ? nullptr : level_of(node);
    return level == nullptr ? children_of(node) == 0 : level->is_leaf(node.value());
  }

 private:
  /// The nodes of one depth, 1 or more.
  class Level {
   public:
    Level(const TreeParameters& tree, std::int32_t depth);

    [[nodiscard]] int children(std::uint32_t value) const noexcept {
      const std::uint32_t key = value ^ flip_;
      std::size_t n = at_least_[key >> bucket_bits];
      while (key >= from_[n + 1]) ++n;
      return static_cast<int>(n);
    }
    [[nodiscard]] bool is_leaf(std::uint32_t value) const noexcept {
      return (value ^ flip_) < from_[1];
    }

   private:
    static constexpr int bucket_bits = 23;  // 31 bits in 256 buckets

    std::uint32_t flip_ = 0;  // all ones where few children belong to large values
    std::array<std::uint8_t, 256> at_least_{};            // by bucket: children of its first key
    std::array<std::uint32_t, max_children + 2> from_{};  // n children or more from this key on
  };

  /// Null where each depth has one and this is too deep. Not of the root.
  [[nodiscard]] const Level* level_of(const Node& node) const noexcept {
    auto level = static_cast<std::size_t>(node.depth - 1);
    if (level >= levels_.size()) {
      if (!last_level_is_for_the_rest_) [[unlikely]]
        return nullptr;
      level = levels_.size() - 1;
    }
    return &levels_[level];
  }

  TreeParameters parameters_;
  int root_children_ = 0;
  std::vector<Level> levels_;  // of depth 1, 2, …: the root has its own
  bool last_level_is_for_the_rest_ = true;
  std::vector<double> expected_;  // nodes of a subtree whose root is at depth 0, 1, …
};

}  // namespace cairn::uts
