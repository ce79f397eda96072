#include "tree.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <random>
#include <string>

#include "cairn/core/error.hpp"

using namespace cairn;
using namespace cairn::uts;

namespace {

constexpr std::uint32_t largest_value = 0x7fffffff;

int children_at(const Tree& tree, std::int32_t depth, std::uint32_t value) {
  return tree.children_of({{0, 0, 0, 0, value}, depth});
}

/// Random values and those next to both ends.
std::size_t differences(const TreeParameters& parameters, std::int32_t depth) {
  const Tree tree(parameters);
  std::mt19937 random(static_cast<std::uint32_t>(depth));
  std::size_t wrong = 0;
  const auto compare = [&](std::uint32_t value) {
    wrong +=
        children_at(tree, depth, value) == children_by_formula(parameters, depth, value) ? 0 : 1;
  };
  for (std::uint32_t i = 0; i < 300; ++i) compare(i), compare(largest_value - i);
  for (int i = 0; i < 3000; ++i) compare(static_cast<std::uint32_t>(random()) & largest_value);
  return wrong;
}

/// Every value where the formula gives another number than just below, and that one below.
std::size_t differences_at_steps(const TreeParameters& parameters, std::int32_t depth) {
  const Tree tree(parameters);
  std::size_t wrong = 0;
  const auto formula = [&](std::uint32_t value) {
    return children_by_formula(parameters, depth, value);
  };
  const auto search = [&](auto&& self, std::uint32_t low, std::uint32_t high) -> void {
    if (formula(low) == formula(high)) return;
    if (high - low == 1) {
      wrong += children_at(tree, depth, low) == formula(low) ? 0 : 1;
      wrong += children_at(tree, depth, high) == formula(high) ? 0 : 1;
      return;
    }
    const std::uint32_t middle = low + (high - low) / 2;
    self(self, low, middle);
    self(self, middle, high);
  };
  search(search, 0, largest_value);
  return wrong;
}

std::string refusal(const TreeParameters& parameters) {
  try {
    const Tree tree(parameters);
  } catch (const Error& error) {
    CHECK(error.code() == Errc::usage);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("numbers of children are those of the formula, at all depths of all named trees") {
  for (const NamedTree& named : named_trees()) {
    CAPTURE(named.name);
    for (const std::int32_t depth : {1, 2, 7, 8, 9, 10, 13, 15, 16, 17, 80, 81, 115, 116, 300}) {
      CAPTURE(depth);
      CHECK(differences(named.parameters, depth) == 0);
      CHECK(differences_at_steps(named.parameters, depth) == 0);
    }
  }
}

TEST_CASE("the exponential shape, and trees deeper than the tables, follow the formula too") {
  const TreeParameters exponential{TreeType::geometric, Shape::exponential, 10, 4, 1};
  const TreeParameters deep{TreeType::geometric, Shape::linear, 5000, 1.01, 1};
  const TreeParameters wide{TreeType::geometric, Shape::fixed, 3, 1e6, 1};
  for (const auto& tree : {exponential, deep, wide})
    for (const std::int32_t depth : {1, 2, 3, 9, 10, 11, 255, 256, 257, 1000, 4999, 5000, 5001})
      CHECK(differences(tree, depth) == 0);
  CHECK(differences_at_steps(exponential, 5) == 0);
  CHECK(differences_at_steps(wide, 1) == 0);
}

TEST_CASE("the number of children has known values") {
  // u = 1/2: floor(log(1/2) / log(4/5)) = 3, at b = 4.
  const TreeParameters fixed{TreeType::geometric, Shape::fixed, 10, 4, 1};
  CHECK(children_by_formula(fixed, 9, 1U << 30) == 3);
  CHECK(children_by_formula(fixed, 10, 1U << 30) == 0);
  // linear at half the depth: b = 2, floor(log(1/2) / log(2/3)) = 1.
  const TreeParameters linear{TreeType::geometric, Shape::linear, 10, 4, 1};
  CHECK(children_by_formula(linear, 5, 1U << 30) == 1);
  // cyclic at a quarter: b; at three quarters: 1/b = 1/4, floor(log(1/8) / log(1/5)) = 1.
  const TreeParameters cyclic{TreeType::geometric, Shape::cyclic, 16, 4, 1};
  CHECK(children_by_formula(cyclic, 4, 1U << 30) == 3);
  CHECK(children_by_formula(cyclic, 12, 7U << 28) == 1);
  CHECK(children_by_formula(cyclic, 81, largest_value) == 0);
  // exponential: b at depth 1, and 1 at depth d: floor(log(1/8) / log(1/2)) = 3.
  const TreeParameters exponential{TreeType::geometric, Shape::exponential, 16, 4, 1};
  CHECK(children_by_formula(exponential, 1, 1U << 30) == 3);
  CHECK(children_by_formula(exponential, 16, (7U << 28) + 1) == 3);
  // never more than 100.
  CHECK(children_by_formula({TreeType::geometric, Shape::fixed, 10, 1e6, 1}, 1, largest_value) ==
        max_children);
  // binomial: m children below q, none from q on.
  const TreeParameters binomial{TreeType::binomial, Shape::linear, 6, 2000.7, 1, 0.25, 3};
  CHECK(children_by_formula(binomial, 0, 5) == 2000);
  CHECK(children_by_formula(binomial, 1, (1U << 29) - 1) == 3);
  CHECK(children_by_formula(binomial, 1, 1U << 29) == 0);
}

TEST_CASE(
    "what is to be expected below a node is a product of its children and a sum over depths") {
  const auto at = [](std::int32_t depth, std::uint32_t value) {
    return Node{{0, 0, 0, 0, value}, depth};
  };
  const std::uint32_t half = 1U << 30;  // three children at b = 4
  const Tree fixed({TreeType::geometric, Shape::fixed, 4, 4, 1});
  CHECK(fixed.expected_below(at(3, half)) == 3.0);      // leaves
  CHECK(fixed.expected_below(at(2, half)) == 3.0 * 5);  // each with four of them
  CHECK(fixed.expected_below(at(1, half)) == 3.0 * 21);
  CHECK(fixed.expected_below(at(4, half)) == 0);
  CHECK(fixed.expected_below(at(99, half)) == 0);
  const Tree linear({TreeType::geometric, Shape::linear, 10, 4, 1});
  CHECK(linear.expected_below(at(9, largest_value)) > 0);
  CHECK(linear.expected_below(at(10, largest_value)) == 0);
  // 1 / (1 - 3/4) nodes on average, if there are any.
  const Tree binomial({TreeType::binomial, Shape::linear, 6, 2000, 1, 0.25, 3});
  CHECK(binomial.expected_below(at(7, 5)) == doctest::Approx(12));
  CHECK(binomial.expected_below(at(7, half)) == 0);
  // Too many to be expected are many.
  const Tree endless({TreeType::binomial, Shape::linear, 6, 2000, 7, 0.200014, 5});
  CHECK(endless.expected_below(at(1, 5)) == 5e18);
  // Geometric above half of the depth, binomial below: a child at depth 2 of 4 has 1 / (1 - 3/4).
  const Tree hybrid({TreeType::hybrid, Shape::fixed, 4, 4, 1, 0.25, 3});
  CHECK(hybrid.expected_below(at(1, half)) == doctest::Approx(3 * 4));
}

TEST_CASE("a leaf is a node without children") {
  for (const NamedTree& named : named_trees()) {
    const Tree tree(named.parameters);
    for (const std::int32_t depth : {0, 1, 2, 5, 9, 10, 11, 15, 16, 80, 300})
      for (std::uint32_t i = 0; i < 4000; ++i) {
        const Node node{{0, 0, 0, 0, i * 2654435761U}, depth};
        REQUIRE(tree.is_leaf(node) == (tree.children_of(node) == 0));
      }
  }
}

TEST_CASE("parameters out of range are refused, with the option's name") {
  TreeParameters tree;
  CHECK(refusal(tree).empty());
  const auto with = [&](auto&& change) {
    TreeParameters changed = tree;
    change(changed);
    return refusal(changed);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(with([](auto& t) { t.type = static_cast<TreeType>(3); }).find("--type") == 0);
  CHECK(with([](auto& t) { t.shape = static_cast<Shape>(-1); }).find("--shape") == 0);
  for (const double bad : {0.0, -1.0, 1e7, nan})
    CHECK(with([&](auto& t) { t.branching = bad; }).find("--branching") == 0);
  CHECK(with([](auto& t) { t.depth = 0; }).find("--depth") == 0);
  CHECK(with([](auto& t) { t.depth = 1, t.shape = Shape::exponential; }).find("--depth") == 0);
  tree.type = TreeType::binomial;
  for (const int bad : {-1, 101})
    CHECK(with([&](auto& t) { t.children = bad; }).find("--children") == 0);
  for (const double bad : {-0.1, 1.1, nan})
    CHECK(with([&](auto& t) { t.probability = bad; }).find("--probability") == 0);
  CHECK(with([](auto& t) { t.probability = 1; }).find("never end") != std::string::npos);
  // Each of 2000 subtrees goes on for ever with a probability of 0.02, or of 0.0002.
  tree.branching = 2000;
  CHECK(with([](auto& t) { t.probability = 0.2575; }).find("never end") != std::string::npos);
  CHECK(with([](auto& t) { t.probability = 0.250075; }).empty());
}

TEST_CASE("a chain that no random value ends is refused, and one that some value ends is not") {
  for (const auto type : {TreeType::binomial, TreeType::hybrid}) {
    TreeParameters tree{type, Shape::fixed, 6, 2, 0, 1, 1};
    for (const double every : {1.0, 0.9999999999}) {
      tree.probability = every;
      CHECK(children_by_formula(tree, 6, largest_value) == 1);
      CHECK(refusal(tree).find("never end") != std::string::npos);
    }
    tree.probability = static_cast<double>(largest_value) / (1U << 31);
    CHECK(children_by_formula(tree, 6, largest_value) == 0);
    CHECK(refusal(tree).empty());
    tree.probability = 1;
    tree.children = 0;
    CHECK(refusal(tree).empty());
  }
  CHECK(refusal({TreeType::binomial, Shape::linear, 6, 0.5, 0, 1, 1}).empty());  // a root alone
}

TEST_CASE("trees are found by their names, and only by them") {
  for (const NamedTree& named : named_trees()) CHECK(find_tree(named.name) == &named);
  CHECK(find_tree("T9") == nullptr);
  CHECK(find_tree("") == nullptr);
  CHECK(find_tree("t1") == nullptr);
}
