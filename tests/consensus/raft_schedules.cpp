// Raft under schedules of faults: none breaks it, and each mutant is found.

#include <doctest/doctest.h>

#include <string>

#include "cairn/consensus/campaign.hpp"
#include "effort.hpp"

using namespace cairn::consensus;

namespace {

Campaign campaign(int nodes, std::uint64_t schedules, Mutant mutant = Mutant::none) {
  return {.protocol = Protocol::raft,
          .nodes = nodes,
          .schedules = schedules,
          .mutant = mutant,
          .violations_max = 1};
}

}  // namespace

TEST_CASE("no schedule breaks Raft") {
  const std::uint64_t schedules = effort::is_long() ? 1'000'000 : effort::schedules(25'000);
  CampaignResult sum;
  for (const int nodes : {1, 3, 4, 5}) {
    const auto result = run(campaign(nodes, schedules));
    CAPTURE(nodes);
    CAPTURE(result.failing_seed.value_or(0));
    CHECK(result.violation == "");
    CHECK(result.decided > schedules / 2);
    sum.schedules += result.schedules;
    sum.tally += result.tally;
  }
  MESSAGE(sum.schedules << " schedules, " << sum.tally.steps << " steps, " << sum.tally.crashes
                        << " crashes, " << sum.tally.lost_writes << " lost writes, "
                        << sum.tally.torn_writes << " torn ones, " << sum.tally.partitions
                        << " partitions");
  // They do visit what they are for.
  CHECK(sum.tally.crashes > sum.schedules);
  CHECK(sum.tally.lost_writes > sum.schedules / 2);
  CHECK(sum.tally.torn_writes > sum.schedules / 1000);
  CHECK(sum.tally.partitions > sum.schedules / 2);
}

TEST_CASE("each mutant of Raft is found") {
  for (const auto mutant : all_mutants()) {
    // That entries of older terms are committed by counting shows in a story, figure 8.
    if (!applies(mutant, Protocol::raft) || mutant == Mutant::commit_older_terms) continue;
    const auto result = run(campaign(3, effort::schedules(60'000), mutant));
    const std::string name(name_of(mutant));
    CAPTURE(name);
    if (!effort::sanitized) CHECK(result.violations == 1);
    MESSAGE(name << ": schedule " << result.schedules << ", " << result.violation);
  }
}
