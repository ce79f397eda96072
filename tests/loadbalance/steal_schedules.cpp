// 100,000 random schedules of the protocol of stealing: every task once, the end neither early nor
// late.
#include <doctest/doctest.h>

#include "cairn/loadbalance/steal_trial.hpp"

using cairn::loadbalance::TrialSum;
using cairn::loadbalance::try_many_steals;

TEST_CASE("100,000 schedules on 1 to 24 ranks: no violation") {
  TrialSum all;
  for (const int ranks : {1, 2, 3, 4, 5, 7, 8, 13, 24}) {
    const auto sum =
        try_many_steals(1, ranks > 8 ? 5000 : 13000, {.ranks = ranks, .ranks_per_host = 3});
    INFO(ranks << " ranks, seed " << sum.failing_seed.value_or(0) << ": " << sum.violation);
    CHECK(sum.violations == 0);
    all.schedules += sum.schedules;
    all.pauses += sum.pauses;
    all.stops += sum.stops;
    if (ranks > 1) CHECK(sum.messages > sum.schedules);
  }
  CHECK(all.schedules >= 100000);
  CHECK(all.pauses > 10000);  // those schedules are among them
  CHECK(all.stops > 1000);
}
