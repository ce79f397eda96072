// The explorer against published counts, then the shipped machines under it.

#include "cairn/consensus/explore.hpp"

#include <doctest/doctest.h>

#include <span>

#include "cairn/consensus/campaign.hpp"
#include "cairn/core/error.hpp"
#include "effort.hpp"
#include "published_models.hpp"

using namespace cairn::consensus;

TEST_CASE("published models have as many states as TLC found") {
  published::TCommit commit;
  CHECK(explore(commit).states == 34);
  published::TwoPhase two_phase;
  CHECK(explore(two_phase).states == 288);
  if (effort::sanitized) return;
  published::PaxosCommit paxos_commit;
  const auto result = explore(paxos_commit);
  CHECK(result.is_complete);
  CHECK(result.violation.empty());
  CHECK(result.states == 1'321'761);
  CHECK(result.depth == 28);
}

TEST_CASE("with quorums that do not meet the published model breaks") {
  published::PaxosCommit careless{1};
  CHECK(explore(careless).violation == "TCConsistent");
}

TEST_CASE("fingerprints: a set finds what it has, also after growing") {
  FingerprintSet set;
  for (std::uint64_t i = 0; i < 200'000; ++i) CHECK(set.insert(cairn::transport::mixed(i)));
  for (std::uint64_t i = 0; i < 200'000; i += 7)
    CHECK_FALSE(set.insert(cairn::transport::mixed(i)));
  CHECK(set.size() == 200'000);
}

namespace {

struct Pinned {
  ExplorerSize size;
  std::uint64_t states;
  int depth;
};

void check_all(std::span<const Pinned> pinned) {
  for (const auto& expected : pinned) {
    if (effort::sanitized && expected.states > 10'000) continue;
    if (!effort::is_long() && expected.states > 1'500'000) continue;
    const auto result = explore_machines(expected.size);
    CHECK(result.is_complete);
    CHECK_MESSAGE(result.violation.empty(), result.violation);
    CHECK(result.states == expected.states);
    CHECK(result.depth == expected.depth);
  }
}

}  // namespace

TEST_CASE("the shipped machines, explored: as many states as ever, and nothing breaks") {
  const auto with_learner = [](ExplorerSize size) {
    size.learners = 1;
    return size;
  };
  const auto on_fast_disks = [](ExplorerSize size) {
    size.disks = Disks::at_once;
    return size;
  };
  // participants or proposers, acceptors, crashes, highest ballot
  const Pinned pinned[] = {
      {{Protocol::commit, 2, 1, 0, 1}, 8'174, 23},
      {{Protocol::commit, 2, 1, 1, 1}, 62'674, 25},
      {{Protocol::commit, 2, 1, 2, 1}, 175'168, 27},
      {{Protocol::commit, 2, 2, 0, 1}, 238'358, 36},
      {{Protocol::commit, 3, 1, 0, 1}, 534'064, 31},
      {{Protocol::paxos, 1, 3, 0, 1}, 351'624, 35},
      {{Protocol::paxos, 1, 3, 1, 1}, 3'563'256, 38},
      {with_learner({Protocol::paxos, 1, 2, 0, 1}), 65'356, 35},
      {with_learner({Protocol::paxos, 1, 2, 1, 1}), 631'708, 38},
      // Two proposers, whose values differ.
      {{Protocol::paxos, 2, 2, 0, 2}, 267'880, 43},
      {{Protocol::paxos, 2, 2, 1, 2}, 3'748'564, 46},
      // Three acceptors, which bear the loss of one.
      {{Protocol::commit, 1, 3, 0, 0}, 23'608, 26},
      {{Protocol::commit, 1, 3, 1, 0}, 281'792, 29},
      {{Protocol::commit, 2, 3, 0, 0}, 10'523'912, 36},
      {{Protocol::commit, 1, 3, 0, 1}, 18'080'068, 43},
      {on_fast_disks({Protocol::commit, 2, 3, 0, 0}), 571'011, 25},
      {on_fast_disks({Protocol::commit, 2, 3, 1, 0}), 5'615'047, 26},
      {on_fast_disks({Protocol::commit, 1, 3, 1, 1}), 12'271'176, 31},
      {on_fast_disks({Protocol::commit, 1, 3, 0, 1}), 1'362'588, 30},
  };
  check_all(pinned);
}

namespace {

ExplorerSize raft_of_two(std::uint32_t term_max, int commands, int crashes) {
  ExplorerSize size{Protocol::raft, 2, 0, crashes, term_max};
  size.disks = Disks::at_once;
  size.commands = commands;
  return size;
}

}  // namespace

TEST_CASE("Raft of two nodes, explored up to a term: as many states as ever, and nothing breaks") {
  // highest term, commands, crashes
  const Pinned pinned[] = {
      {raft_of_two(1, 0, 0), 5'311, 22},     {raft_of_two(1, 0, 1), 26'142, 23},
      {raft_of_two(1, 1, 0), 220'501, 31},   {raft_of_two(2, 0, 0), 502'875, 38},
      {raft_of_two(2, 0, 1), 3'057'580, 39},
  };
  check_all(pinned);
}

TEST_CASE("of Raft the explorer finds mutants too") {
  if (effort::sanitized) return;
  const auto found = [](Mutant mutant, ExplorerSize size) {
    size.mutant = mutant;
    return explore_machines(size).violation;
  };
  CHECK(found(Mutant::vote_twice, raft_of_two(1, 0, 0)) ==
        "election safety: two leaders of term 1");
  CHECK(found(Mutant::term_not_durable, raft_of_two(1, 0, 3)) ==
        "election safety: two leaders of term 1");
  CHECK(found(Mutant::quorum_of_one, raft_of_two(1, 0, 0)) ==
        "durability: entry 1 is committed and not on the disks of a majority");
}

TEST_CASE("what the explorer of Raft does not take is refused") {
  auto size = raft_of_two(1, 16, 0);
  CHECK_THROWS_AS((void)explore_machines(size), cairn::Error);
  size = raft_of_two(1, -1, 0);
  CHECK_THROWS_AS((void)explore_machines(size), cairn::Error);
  size = raft_of_two(1, 1, 0);
  size.nodes = 7;
  CHECK_THROWS_AS((void)explore_machines(size), cairn::Error);
  size.nodes = 2;
  size.mutant = Mutant::forget_accepted;
  CHECK_THROWS_AS((void)explore_machines(size), cairn::Error);
}

TEST_CASE("with three acceptors the explorer finds mutants too") {
  if (effort::sanitized) return;
  // Who forgets what it accepted is found when a second acceptor takes over, at ballot 2.
  ExplorerSize forgetful{Protocol::commit, 1, 3, 0, 2, Mutant::forget_accepted};
  forgetful.disks = Disks::at_once;
  CHECK(explore_machines(forgetful).violation ==
        "agreement: committed at one node, aborted at another");
  const ExplorerSize hasty{Protocol::commit, 2, 3, 0, 0, Mutant::vote_before_persist};
  CHECK(explore_machines(hasty).violation ==
        "durability: committed without the vote of n1 on disk");
}

TEST_CASE("of two proposers the explorer finds two values that are chosen") {
  if (effort::sanitized) return;
  for (const auto mutant :
       {Mutant::quorum_of_one, Mutant::forget_accepted, Mutant::no_promise_check}) {
    const auto result = explore_machines({Protocol::paxos, 2, 2, 0, 2, mutant});
    CHECK_MESSAGE(result.violation == "agreement: two values are chosen", name_of(mutant));
  }
}

TEST_CASE("the explorer finds mutants too, by the shortest way") {
  const ExplorerSize commit{Protocol::commit, 2, 1, 0, 1};
  for (const auto mutant :
       {Mutant::vote_before_persist, Mutant::majority_of_votes, Mutant::unilateral_abort}) {
    auto size = commit;
    size.mutant = mutant;
    // Two are half of two: a majority of the votes needs three.
    if (mutant == Mutant::majority_of_votes) size.nodes = 3;
    const auto result = explore_machines(size);
    CHECK_MESSAGE(!result.violation.empty(), name_of(mutant));
  }
}
