// Tasks by priority: against a list that is searched.
#include "cairn/loadbalance/priority_stack.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "cairn/core/random.hpp"
#include "cairn/loadbalance/steal_simulation.hpp"

using namespace cairn::loadbalance;

namespace {

struct Job {
  static constexpr std::size_t priorities = 5;
  int urgency = 0;
  int number = 0;

  [[nodiscard]] std::size_t priority() const { return static_cast<std::size_t>(urgency); }
  friend bool operator==(const Job&, const Job&) = default;
};

/// The same by search.
class Twin {
 public:
  void push(const Job& job) { jobs_.push_back(job); }
  Job pop() {
    auto best = jobs_.begin();
    for (auto at = jobs_.begin(); at != jobs_.end(); ++at)
      if (level(*at) >= level(*best)) best = at;
    const Job job = *best;
    jobs_.erase(best);
    return job;
  }
  [[nodiscard]] std::size_t size() const { return jobs_.size(); }
  static int level(const Job& job) { return std::min(job.urgency, 4); }

 private:
  std::vector<Job> jobs_;
};

std::vector<Job> left_in(PriorityStack<Job>& stack) {
  std::vector<Job> jobs;
  while (!stack.empty()) jobs.push_back(stack.pop());
  return jobs;
}

/// Gives its upper half away.
struct Range {
  static constexpr std::size_t priorities = 3;
  int first = 0;
  int last = 0;
  std::size_t urgency = 0;

  [[nodiscard]] std::size_t priority() const { return urgency; }
  static std::size_t split(std::span<Range> ranges, std::size_t most, std::vector<Range>& out) {
    for (Range& range : ranges.first(std::min(most, ranges.size()))) {
      const int middle = (range.first + range.last) / 2;
      if (middle == range.first) continue;
      out.push_back({middle, range.last, range.urgency});
      range.last = middle;
    }
    return ranges.size();
  }
};

template <typename Priority>
struct Urgent {
  static constexpr std::size_t priorities = 5;
  [[nodiscard]] Priority priority() const { return {}; }
};

// What is below 0 would be the highest.
static_assert(PrioritizedTask<Urgent<std::size_t>> && PrioritizedTask<Urgent<std::uint8_t>>);
static_assert(!PrioritizedTask<Urgent<int>> && !PrioritizedTask<Urgent<double>>);

}  // namespace

TEST_CASE("tasks that split themselves lose nothing, and give at most what is asked for") {
  for (std::size_t most = 1; most < 9; ++most) {
    CAPTURE(most);
    PriorityStack<Range> stack;
    for (int n = 0; n < 7; ++n) stack.push({10 * n, 10 * n + 10, static_cast<std::size_t>(n % 3)});
    std::vector<Range> out;
    stack.split(most, out);
    CHECK(out.size() == std::min<std::size_t>(most, 7));
    CHECK(stack.size() == 7);
    std::vector<int> seen(70);
    const auto see = [&](const Range& range) {
      for (int i = range.first; i < range.last; ++i) ++seen[static_cast<std::size_t>(i)];
    };
    for (const Range& range : out) see(range);
    std::size_t urgency = 2;
    while (!stack.empty()) {
      const Range range = stack.pop();
      CHECK(range.urgency <= urgency);
      urgency = range.urgency;
      see(range);
    }
    CHECK(std::ranges::count(seen, 1) == 70);
  }
  PriorityStack<Range> alone;
  alone.push({0, 8, 1});
  CHECK(alone.can_split());
  std::vector<Range> half;
  alone.split(1, half);
  CHECK(half.size() == 1);
  CHECK(alone.pop().last == 4);
}

TEST_CASE("tasks without a priority wait in a plain stack") {
  CHECK(std::is_same_v<StackOf<int>, TaskStack<int>>);
  CHECK(std::is_same_v<StackOf<Job>, PriorityStack<Job>>);
}

TEST_CASE("the youngest of the most urgent is next, however tasks have come") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const cairn::Random random(seed, 1);
    std::uint64_t draws = 0;
    const auto draw = [&](std::uint64_t bound) {
      return static_cast<int>(random.below(draws++, bound));
    };
    PriorityStack<Job> stack;
    Twin twin;
    int number = 0;
    // An urgency of 6 counts as 4, the highest.
    const auto job = [&] { return Job{draw(7), ++number}; };
    for (int step = 0; step < 400; ++step) {
      if (draw(3) == 0) {
        const Job one = job();
        stack.push(one);
        twin.push(one);
      } else if (draw(4) == 0) {
        const auto room = stack.grow(4);
        for (Job& one : room) one = job();
        for (const Job& one : room.first(3)) twin.push(one);
        stack.shrink(1);
      } else if (twin.size() > 0) {
        CHECK(stack.pop() == twin.pop());
      }
      CHECK(stack.size() == twin.size());
      CHECK(stack.all().size() == twin.size());
    }
    while (twin.size() > 0) CHECK(stack.pop() == twin.pop());
    CHECK(stack.empty());
  }
}

TEST_CASE("a block is of one priority") {
  PriorityStack<Job> stack;
  for (int n = 0; n < 6; ++n) stack.push({n % 2, n});
  const auto top = stack.pop(2);
  CHECK(std::vector<Job>(top.begin(), top.end()) == std::vector<Job>{{1, 3}, {1, 5}});
  CHECK(stack.pop(9).size() == 1);
  CHECK(stack.pop(9).size() == 3);
  CHECK(stack.pop(9).empty());
}

TEST_CASE("a split takes every second one of all priorities, and never the next one") {
  for (int n = 0; n < 40; ++n)
    for (std::size_t most = 1; most < 30; ++most) {
      PriorityStack<Job> stack;
      std::vector<Job> all;
      for (int i = 0; i < n; ++i) all.push_back({(i * 7) % 5, i});
      stack.push_all(all);
      std::vector<Job> out;
      stack.split(most, out);
      CHECK(out.size() <= most);
      CHECK((n < 2 || !out.empty()));
      CHECK(stack.size() + out.size() == all.size());
      if (most >= 20) {
        // Of 5 priorities with n / 5 tasks each, half of them each, to one.
        std::vector<int> taken(5);
        for (const Job& job : out) ++taken[static_cast<std::size_t>(job.urgency)];
        for (const int count : taken) CHECK((count >= n / 10 - 1 && count <= n / 10 + 1));
      }
      const auto left = left_in(stack);
      std::ranges::stable_sort(all, std::greater{}, &Twin::level);
      if (n > 0) CHECK(left.front().urgency == all.front().urgency);
      CHECK(std::ranges::is_sorted(left, std::greater{}, &Twin::level));
      out.insert(out.end(), left.begin(), left.end());
      const auto by_number = [](const Job& a, const Job& b) { return a.number < b.number; };
      std::ranges::sort(out, by_number);
      std::ranges::sort(all, by_number);
      CHECK(out == all);
    }
}

TEST_CASE("clear leaves nothing") {
  PriorityStack<Job> stack;
  stack.push({1, 1});
  (void)stack.grow(2);
  stack.clear();
  CHECK(stack.empty());
  CHECK(stack.all().empty());
  stack.push({0, 7});
  CHECK(stack.pop().number == 7);
}

TEST_CASE("the simulator takes them by priority too") {
  std::vector<int> order;
  const auto expand = [&](std::span<const Job> jobs, Spawner<Job>& spawner) {
    const std::vector<Job> copies(jobs.begin(), jobs.end());
    for (const Job& job : copies) {
      order.push_back(job.urgency);
      if (job.number == 0) spawner.push({4, 1});
    }
  };
  const std::vector<Job> roots{{3, 1}, {1, 0}, {2, 0}, {0, 1}};
  (void)simulate<Job>({.ranks = 1, .poll_tasks = 1}, {}, roots, expand);
  CHECK(order == std::vector<int>{3, 2, 4, 1, 4, 0});
}
