// The end is found, and never too early: random schedules of processes that wake each other.
#include "cairn/loadbalance/four_counters.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cairn/core/random.hpp"

using cairn::Random;
using cairn::loadbalance::FourCounters;
using cairn::loadbalance::MessageCounts;

namespace {

/// Looks at one wave alone.
struct TwoCounters {
  bool is_over(const MessageCounts& sums) { return sums.sent == sums.received; }
};

struct Verdict {
  bool is_early = false;
  bool is_found = false;
};

/// Processes that compute for a while, send messages that arrive in any order, and wake whom they
/// reach. A wave visits them one after the other, each when it is idle, while all goes on.
template <typename Detector>
class World {
 public:
  World(std::uint64_t seed, int processes)
      : random_(seed), busy_(static_cast<std::size_t>(processes), 0), counts_(busy_.size()) {
    busy_[0] = 3;
  }

  Verdict run() {
    Detector detector;
    for (int step = 0; step < 5000; ++step) {
      compute();
      deliver();
      if (!wave()) continue;
      const bool is_quiet =
          under_way_.empty() && std::ranges::all_of(busy_, [](int b) { return b == 0; });
      if (detector.is_over(sums_)) return {.is_early = !is_quiet, .is_found = true};
      sums_ = {};
    }
    return {};
  }

 private:
  std::size_t draw(std::size_t bound) {
    return static_cast<std::size_t>(random_.below(draws_++, bound));
  }

  void compute() {
    const auto self = draw(busy_.size());
    if (busy_[self] == 0) return;
    if (budget_ > 0 && draw(3) == 0) {
      --budget_;
      under_way_.push_back(draw(busy_.size()));
      ++counts_[self].sent;
    }
    --busy_[self];
  }

  void deliver() {
    if (under_way_.empty() || draw(4) != 0) return;
    std::swap(under_way_[draw(under_way_.size())], under_way_.back());
    const auto to = under_way_.back();
    under_way_.pop_back();
    ++counts_[to].received;
    busy_[to] += 2;
  }

  /// Whether it is complete.
  bool wave() {
    if (draw(2) != 0 || busy_[at_] != 0) return false;
    sums_.sent += counts_[at_].sent;
    sums_.received += counts_[at_].received;
    at_ = (at_ + 1) % busy_.size();
    return at_ == 0;
  }

  Random random_;
  std::uint64_t draws_ = 0;
  std::vector<int> busy_;  // steps that are left
  std::vector<MessageCounts> counts_;
  std::vector<std::size_t> under_way_;  // to whom
  int budget_ = 60;
  std::size_t at_ = 0;
  MessageCounts sums_;
};

}  // namespace

TEST_CASE("four counters never end early, and always end") {
  int early = 0;
  int found = 0;
  constexpr int schedules = 20000;
  for (int seed = 0; seed < schedules; ++seed) {
    const auto verdict = World<FourCounters>(static_cast<std::uint64_t>(seed), 2 + seed % 6).run();
    early += verdict.is_early ? 1 : 0;
    found += verdict.is_found ? 1 : 0;
  }
  CHECK(early == 0);
  CHECK(found == schedules);
}

TEST_CASE("two counters end early: the schedules can tell") {
  int early = 0;
  for (int seed = 0; seed < 20000; ++seed)
    early +=
        World<TwoCounters>(static_cast<std::uint64_t>(seed), 2 + seed % 6).run().is_early ? 1 : 0;
  CHECK(early > 10);
}
