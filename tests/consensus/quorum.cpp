#include "cairn/consensus/quorum.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "cairn/core/error.hpp"
#include "cairn/transport/draws.hpp"

using namespace cairn::consensus;

namespace {

/// Every set of `size` out of `nodes` nodes meets every such set of `other` in at least `shared`.
bool all_meet(int nodes, int size, int other, int shared) {
  for (Members a = 0; a < Members{1} << nodes; ++a) {
    if (std::popcount(a) != size) continue;
    for (Members b = 0; b < Members{1} << nodes; ++b)
      if (std::popcount(b) == other && std::popcount(a & b) < shared) return false;
  }
  return true;
}

/// By trying all completions: won if every one has more than half, lost if none has.
Verdict slow_verdict(Members members, Members yes, Members no) {
  if (members == 0) return Verdict::won;
  bool always = true;
  bool ever = false;
  const Members open = members & ~yes & ~no;
  for (Members more = open;; more = (more - 1) & open) {
    const bool wins = 2 * std::popcount(members & (yes | more)) > std::popcount(members);
    always &= wins;
    ever |= wins;
    if (more == 0) break;
  }
  return always ? Verdict::won : ever ? Verdict::pending : Verdict::lost;
}

}  // namespace

TEST_CASE("majorities: table of sizes and of crashes that they bear") {
  //                    nodes 1  2  3  4  5  6  7
  const std::vector quorums{1, 2, 2, 3, 3, 4, 4};
  const std::vector crashes{0, 0, 1, 1, 2, 2, 3};
  for (int nodes = 1; nodes <= 7; ++nodes) {
    CHECK(majority(nodes) == quorums[nodes - 1]);
    CHECK(crashes_tolerated(nodes) == crashes[nodes - 1]);
    CHECK(all_meet(nodes, majority(nodes), majority(nodes), 1));
    if (majority(nodes) > 1) CHECK_FALSE(all_meet(nodes, nodes / 2, nodes / 2, 1));
  }
}

TEST_CASE("flexible quorums are refused exactly when two of them need not meet") {
  for (int nodes = 1; nodes <= 7; ++nodes)
    for (int phase1 = 0; phase1 <= nodes + 1; ++phase1)
      for (int phase2 = 0; phase2 <= nodes + 1; ++phase2) {
        const bool sound = phase1 >= 1 && phase2 >= 1 && phase1 <= nodes && phase2 <= nodes &&
                           all_meet(nodes, phase1, phase2, 1);
        CAPTURE(nodes);
        CAPTURE(phase1);
        CAPTURE(phase2);
        if (sound)
          CHECK_NOTHROW(FlexibleQuorum(nodes, phase1, phase2));
        else
          CHECK_THROWS_AS(FlexibleQuorum(nodes, phase1, phase2), cairn::Error);
      }
}

TEST_CASE("verdicts of majorities and of joint configurations against all completions") {
  for (Members members = 0; members < 32; ++members)
    for (Members yes = 0; yes < 32; ++yes)
      for (Members no = 0; no < 32; ++no) {
        if ((yes & no) != 0) continue;
        CHECK(majority_verdict(members, yes, no) == slow_verdict(members, yes, no));
        const JointQuorum joint{members, 7};
        const auto a = slow_verdict(members, yes, no);
        const auto b = slow_verdict(7, yes, no);
        const bool lost = a == Verdict::lost || b == Verdict::lost;
        const bool won = a == Verdict::won && b == Verdict::won;
        CHECK(joint.verdict(yes, no) == (lost  ? Verdict::lost
                                         : won ? Verdict::won
                                               : Verdict::pending));
      }
}

TEST_CASE("what a majority has reached against sorting") {
  cairn::transport::Draws draws(5);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::uint64_t> reached(8);
    for (auto& index : reached) index = draws.below(6);
    const Members members = 1 + draws.below(255);
    std::vector<std::uint64_t> sorted;
    for (int i = 0; i < 8; ++i)
      if ((members >> i & 1) != 0) sorted.push_back(reached[i]);
    std::sort(sorted.rbegin(), sorted.rend());
    const auto expected = sorted[sorted.size() / 2];
    CHECK(majority_reached(members, reached) == expected);
    CHECK(JointQuorum{members, 0}.reached(reached) == expected);
    CHECK(JointQuorum{members, 1}.reached(reached) == std::min(expected, reached[0]));
  }
}

TEST_CASE("Byzantine quorums: two share an honest node, and f liars are not believed") {
  for (int nodes = 1; nodes <= 10; ++nodes) {
    const auto quorum = ByzantineQuorum::of(nodes);
    CHECK(quorum.faults() == (nodes - 1) / 3);
    CHECK(all_meet(nodes, quorum.quorum(), quorum.quorum(), quorum.faults() + 1));
    CHECK_FALSE(all_meet(nodes, quorum.quorum() - 1, quorum.quorum() - 1, quorum.faults() + 1));
    CHECK(quorum.quorum() <= nodes - quorum.faults());  // the honest ones are enough
    if (nodes % 3 == 1) CHECK(quorum.quorum() == 2 * quorum.faults() + 1);
    CHECK_FALSE(quorum.is_believed(quorum.faults()));
    CHECK(quorum.is_believed(quorum.faults() + 1));
  }
  const auto four = ByzantineQuorum::of(4);
  const std::vector<std::uint64_t> copies{9, 5, 7, 5};
  CHECK(four.believed(copies) == 1);
  CHECK(four.believed(std::vector<std::uint64_t>{1, 2, 3, 4}) == -1);
  CHECK_THROWS_AS((void)ByzantineQuorum::of(0), cairn::Error);
}
