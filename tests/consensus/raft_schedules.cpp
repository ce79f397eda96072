// Raft under schedules of faults: none breaks it, and each mutant is found.

#include <doctest/doctest.h>

#include <initializer_list>
#include <map>
#include <string>

#include "cairn/consensus/campaign.hpp"
#include "cairn/consensus/raft_judge.hpp"
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
  // The schedule of 3 voters, from seed 1, that finds it: the README's table.
  const std::map<Mutant, std::uint64_t> found_by{
      {Mutant::vote_before_persist, 71},    {Mutant::quorum_of_one, 1},
      {Mutant::append_before_persist, 1},   {Mutant::leader_counts_unwritten, 1},
      {Mutant::term_not_durable, 26},       {Mutant::vote_twice, 3},
      {Mutant::vote_without_log_check, 12}, {Mutant::append_without_check, 28},
      {Mutant::keep_conflicting, 18},       {Mutant::one_majority_when_joint, 146}};
  for (const auto mutant : all_mutants()) {
    // That entries of older terms are committed by counting shows in a story, figure 8.
    if (!applies(mutant, Protocol::raft) || mutant == Mutant::commit_older_terms) continue;
    const auto result = run(campaign(3, 200, mutant));
    const std::string name(name_of(mutant));
    CAPTURE(name);
    CHECK(result.violations == 1);
    CHECK(result.schedules == found_by.at(mutant));
    MESSAGE(name << ": schedule " << result.schedules << ", " << result.violation);
  }
}

TEST_CASE("the judge sees logs that do not match, and a vote that was forgotten") {
  const auto log_of = [](std::initializer_list<std::uint64_t> terms, std::uint64_t command) {
    RaftDurable durable;
    for (const auto term : terms)
      durable.log.push({.term = term,
                        .kind = RaftEntry::Kind::command,
                        .command = {term == 1 ? command : term, 0}});
    return durable;
  };
  RaftJudge judge(3);
  judge.begin(1);
  judge.landed(0, log_of({1, 1, 2}, 7));
  judge.landed(1, log_of({1, 1, 2, 3}, 7));
  judge.landed(2, log_of({4, 4, 4}, 8));  // nothing in common
  CHECK(judge.violation() == "");
  judge.landed(2, log_of({1, 1, 2}, 8));
  CHECK(judge.violation().find("have different entries at 2, before one of the same term") !=
        std::string::npos);

  judge.begin(1);
  const RaftMessage granted{.kind = RaftMessage::Kind::vote_reply, .accepted = true, .term = 5};
  judge.sent({0, 1, granted});
  judge.sent({0, 1, granted});
  CHECK(judge.violation() == "");
  judge.sent({0, 2, granted});
  CHECK(judge.violation() == "node 0 votes twice in term 5");
}
