// Many schedules of the shipped machines: nothing breaks. Of each mutant: something does.

#include <doctest/doctest.h>

#include <cstdint>
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

namespace {

/// Schedules until a mutant is caught, from seed 1: the table of the README.
std::uint64_t schedules_until_caught(Protocol protocol, Mutant mutant) {
  const bool is_commit = protocol == Protocol::commit;
  switch (mutant) {
    case Mutant::vote_before_persist:
      return 15;
    case Mutant::promise_before_persist:
      return is_commit ? 81 : 71;
    case Mutant::accept_before_persist:
      return is_commit ? 137 : 175;
    case Mutant::majority_of_votes:
      return 4;
    case Mutant::unilateral_abort:
      return 2;
    case Mutant::forget_accepted:
      return is_commit ? 501 : 30;
    case Mutant::no_promise_check:
      return is_commit ? 834 : 7;
    case Mutant::lowest_ballot:
      return is_commit ? 16'562 : 2'568;
    case Mutant::quorum_of_one:
      return is_commit ? 1'251 : 19;
    case Mutant::ballot_not_durable:
      return is_commit ? 27'056 : 7'268;
    case Mutant::learn_across_ballots:
      return 3'043;
    default:
      return 0;
  }
}

}  // namespace

TEST_CASE("every mutant is caught, by the schedule that the table names") {
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
        CHECK_MESSAGE(result.schedules == schedules_until_caught(protocol, mutant),
                      name_of(protocol) << " " << name_of(mutant));
      if (!effort::sanitized) CHECK(result.violations == 1);
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
