#include "cairn/loadbalance/task_stack.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using cairn::loadbalance::TaskStack;

namespace {

TaskStack<int> stack_of(int n) {
  TaskStack<int> stack;
  for (int i = 0; i < n; ++i) stack.push(i);
  return stack;
}

std::vector<int> left_in(TaskStack<int>& stack) {
  std::vector<int> tasks;
  while (!stack.empty()) tasks.push_back(stack.pop());
  std::ranges::reverse(tasks);
  return tasks;
}

}  // namespace

TEST_CASE("a stack gives back the youngest first, however it has grown") {
  TaskStack<int> stack;
  stack.push(0);
  for (int round = 1; round < 500; ++round) {
    const auto room = stack.grow(3);
    CHECK(room.size() == 3);
    for (int i = 0; i < 3; ++i) room[static_cast<std::size_t>(i)] = 3 * round + i - 2;
  }
  CHECK(stack.size() == 1498);
  for (int i = 1497; i >= 0; --i) CHECK(stack.pop() == i);
  CHECK(stack.empty());
}

TEST_CASE("a block is the top, and room that is not needed goes back") {
  auto stack = stack_of(5);
  const auto top = stack.pop(3);
  CHECK(std::vector<int>(top.begin(), top.end()) == std::vector<int>{2, 3, 4});
  const auto room = stack.grow(4);
  room[0] = 7;
  stack.shrink(3);
  CHECK(left_in(stack) == std::vector<int>{0, 1, 7});
  CHECK(stack.pop(9).empty());
}

TEST_CASE("a split takes every second one, of all ages, and never the youngest") {
  const auto split = [](int n, std::size_t most) {
    auto stack = stack_of(n);
    std::vector<int> out;
    stack.split(most, out);
    return std::pair(out, left_in(stack));
  };
  using V = std::vector<int>;
  CHECK(split(0, 9) == std::pair(V{}, V{}));
  CHECK(split(1, 9) == std::pair(V{}, V{0}));
  CHECK(split(2, 9) == std::pair(V{0}, V{1}));
  CHECK(split(5, 9) == std::pair(V{0, 2}, V{1, 3, 4}));
  CHECK(split(6, 9) == std::pair(V{0, 2, 4}, V{1, 3, 5}));
  CHECK(split(8, 2) == std::pair(V{0, 4}, V{1, 2, 3, 5, 6, 7}));
  CHECK(split(8, 0) == std::pair(V{}, V{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST_CASE("a split loses nothing, doubles nothing, and keeps to its limit") {
  for (int n = 0; n < 70; ++n)
    for (std::size_t most = 1; most < 40; ++most) {
      auto stack = stack_of(n);
      std::vector<int> all;
      stack.split(most, all);
      CHECK(all.size() <= most);
      CHECK((n < 2 || !all.empty()));
      const auto left = left_in(stack);
      CHECK(std::ranges::is_sorted(left));
      CHECK((n == 0 || left.back() == n - 1));
      all.insert(all.end(), left.begin(), left.end());
      std::ranges::sort(all);
      std::vector<int> wanted;
      for (int i = 0; i < n; ++i) wanted.push_back(i);
      CHECK(all == wanted);
    }
}
