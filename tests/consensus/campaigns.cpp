// Many schedules of the shipped machines: nothing breaks. Of each mutant: something does.

#include <doctest/doctest.h>

#include <string>

#include "cairn/consensus/campaign.hpp"
#include "cairn/core/error.hpp"
#include "effort.hpp"

using namespace cairn::consensus;

TEST_CASE("100,000 schedules of each protocol: no violation") {
  for (const auto protocol : {Protocol::commit, Protocol::paxos}) {
    Campaign campaign;
    campaign.protocol = protocol;
    campaign.schedules = effort::is_long() ? 4'000'000 : effort::schedules(100'000);
    const auto result = run(campaign);
    CHECK_MESSAGE(result.violations == 0,
                  "seed " << result.failing_seed.value_or(0) << ": " << result.violation);
    CHECK(result.schedules == campaign.schedules);
    // The weather was there, and work was done in it.
    CHECK(result.tally.crashes > campaign.schedules);
    CHECK(result.tally.lost_writes > campaign.schedules / 20);
    CHECK(result.tally.torn_writes > campaign.schedules / 1000);
    CHECK(result.tally.partitions > campaign.schedules / 2);
    CHECK(result.decided > campaign.schedules / 4);
  }
}

TEST_CASE("other sizes: one node, two-phase commit, more acceptors than nodes, a big cluster") {
  struct Size {
    int nodes, acceptors;
  };
  for (const auto protocol : {Protocol::commit, Protocol::paxos})
    for (const auto size : {Size{1, 1}, Size{2, 1}, Size{4, 1}, Size{2, 3}, Size{3, 2}, Size{7, 5},
                            Size{33, 9}, Size{64, 3}}) {
      Campaign campaign;
      campaign.protocol = protocol;
      campaign.nodes = size.nodes;
      campaign.acceptors = size.acceptors;
      campaign.schedules = effort::schedules(size.nodes > 8 ? 100 : 2000);
      campaign.seed = 7'000'000;
      const auto result = run(campaign);
      CHECK_MESSAGE(result.violations == 0, name_of(protocol)
                                                << " " << size.nodes << "/" << size.acceptors
                                                << " seed " << result.failing_seed.value_or(0)
                                                << ": " << result.violation);
    }
}

TEST_CASE("every mutant is caught") {
  MESSAGE("protocol  mutant                   schedules until caught, and as what");
  for (const auto protocol : {Protocol::commit, Protocol::paxos})
    for (const auto mutant : all_mutants()) {
      if (!applies(mutant, protocol)) continue;
      Campaign campaign;
      campaign.protocol = protocol;
      campaign.mutant = mutant;
      campaign.schedules = 100'000;
      campaign.violations_max = 1;
      // Here the machines are the point, not the memory: the slow ones are looked at once.
      if (effort::sanitized) campaign.schedules = 200;
      const auto result = run(campaign);
      if (!effort::sanitized)
        CHECK_MESSAGE(result.violations == 1, name_of(protocol) << " " << name_of(mutant));
      auto name = std::string(name_of(mutant));
      name.resize(24, ' ');
      MESSAGE(name_of(protocol) << "\t" << name << " " << result.schedules << "\t"
                                << result.violation);
      if (!result.failing_seed) continue;
      const auto story = tell(campaign, *result.failing_seed);
      CHECK(story.violation == result.violation);
      CHECK(story.sequence.text() == tell(campaign, *result.failing_seed).sequence.text());
    }
}

TEST_CASE("the same campaign gives the same numbers, another seed others") {
  Campaign campaign;
  campaign.schedules = 200;
  const auto first = run(campaign);
  CHECK(first.tally == run(campaign).tally);
  campaign.seed = 1000;
  CHECK_FALSE(first.tally == run(campaign).tally);
}

TEST_CASE("sizes and mutants that a protocol does not have are refused") {
  Campaign campaign;
  campaign.nodes = 65;
  CHECK_THROWS_AS((void)run(campaign), cairn::Error);
  campaign.nodes = 5;
  campaign.acceptors = 10;
  CHECK_THROWS_AS((void)run(campaign), cairn::Error);
  campaign.acceptors = 3;
  campaign.protocol = Protocol::paxos;
  campaign.mutant = Mutant::unilateral_abort;
  CHECK_THROWS_AS((void)run(campaign), cairn::Error);
}
