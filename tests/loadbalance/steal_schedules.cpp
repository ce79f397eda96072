// 100,000 random schedules of the protocol of stealing: every task once, the end neither early nor
// late.
#include <doctest/doctest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "cairn/loadbalance/steal_trial.hpp"

using cairn::loadbalance::TrialSum;
using cairn::loadbalance::try_many_steals;

TEST_CASE("100,000 schedules on 1 to 24 ranks: no violation") {
  TrialSum all;
  // Few of the wide ones: they take long, and find what three ranks do not.
  const std::vector<std::pair<int, std::uint64_t>> sizes{{1, 500},   {2, 30000}, {3, 30000},
                                                         {4, 20000}, {5, 12000}, {7, 5000},
                                                         {8, 2000},  {13, 500},  {24, 200}};
  for (const auto& size : sizes) {
    const int ranks = size.first;
    const auto sum =
        try_many_steals(1, size.second, {.ranks = ranks, .ranks_per_host = 3, .most_tasks = 100});
    INFO(ranks << " ranks, seed " << sum.failing_seed.value_or(0) << ": " << sum.violation);
    CHECK(sum.violations == 0);
    all.schedules += sum.schedules;
    all.pauses += sum.pauses;
    all.news += sum.news;
    all.stops += sum.stops;
    if (ranks > 1) CHECK(sum.messages > sum.schedules);
  }
  CHECK(all.schedules >= 100000);
  CHECK(all.pauses > 10000);  // those schedules are among them
  CHECK(all.stops > 1000);
  CHECK(all.news > 100000);
}
