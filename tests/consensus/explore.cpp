// The explorer against published counts, then the shipped machines under it.

#include "cairn/consensus/explore.hpp"

#include <doctest/doctest.h>

#include "cairn/consensus/campaign.hpp"
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
