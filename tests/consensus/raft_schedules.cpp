// Raft under schedules of faults: none breaks it, and each mutant is found.

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "cairn/consensus/raft_simulation.hpp"

using namespace cairn::consensus;

namespace {

RaftSchedule schedule(std::uint64_t seed, RaftMutant mutant = RaftMutant::none) {
  constexpr std::size_t nodes[] = {3, 5, 3, 4, 3, 1, 5, 2};
  return {.nodes = nodes[seed % 8], .seed = seed, .mutant = mutant};
}

}  // namespace

TEST_CASE("no schedule breaks Raft") {
  const std::uint64_t schedules = std::getenv("CAIRN_TEST_LONG") != nullptr ? 4'000'000 : 100'000;
  std::uint64_t violations = 0;
  RaftVerdict sum;
  for (std::uint64_t seed = 0; seed < schedules && violations < 3; ++seed) {
    const auto verdict = simulate(schedule(seed));
    if (!verdict.violation.empty()) {
      ++violations;
      CAPTURE(seed);
      CHECK(verdict.violation == "");
    }
    sum.steps += verdict.steps;
    sum.crashes += verdict.crashes;
    sum.lost_writes += verdict.lost_writes;
    sum.leaders += verdict.leaders;
    sum.committed += verdict.committed;
    sum.changes += verdict.changes;
  }
  MESSAGE(schedules << " schedules, " << sum.steps << " steps, " << sum.crashes << " crashes, "
                    << sum.lost_writes << " lost writes, " << sum.leaders << " leaders, "
                    << sum.committed << " entries, " << sum.changes << " changes of voters");
  // They do visit what they are for.
  CHECK(sum.crashes > schedules);
  CHECK(sum.lost_writes > schedules / 2);
  CHECK(sum.leaders > schedules);
  CHECK(sum.changes > schedules / 20);
}

TEST_CASE("a schedule is a function of its seed") {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    std::string first;
    std::string second;
    for (auto* text : {&first, &second}) {
      auto again = schedule(seed);
      again.trace = [text](std::string_view line) { (*text += line) += '\n'; };
      (void)simulate(again);
    }
    CHECK(!first.empty());
    CHECK(first == second);
  }
}

TEST_CASE("each mutant is found") {
  struct Found {
    RaftMutant mutant;
    const char* name;
    std::uint64_t most_schedules;
  };
  // That entries of older terms are committed by counting is found by a story, figure 8.
  const Found mutants[] = {
      {RaftMutant::vote_before_persist, "vote-before-persist", 20'000},
      {RaftMutant::append_before_persist, "append-before-persist", 100},
      {RaftMutant::leader_counts_unwritten, "leader-counts-unwritten", 100},
      {RaftMutant::term_not_durable, "term-not-durable", 20'000},
      {RaftMutant::vote_twice, "vote-twice", 5'000},
      {RaftMutant::vote_without_log_check, "vote-without-log-check", 1'000},
      {RaftMutant::append_without_check, "append-without-check", 5'000},
      {RaftMutant::keep_conflicting, "keep-conflicting", 5'000},
      {RaftMutant::quorum_of_one, "quorum-of-one", 100},
      {RaftMutant::one_majority_when_joint, "one-majority-when-joint", 20'000}};
  for (const auto& each : mutants) {
    std::uint64_t seed = 0;
    std::string violation;
    for (; seed < each.most_schedules && violation.empty(); ++seed)
      violation = simulate(schedule(seed, each.mutant)).violation;
    CAPTURE(each.name);
    CHECK(!violation.empty());
    MESSAGE(each.name << ": schedule " << seed << ", " << violation);
  }
}
