#include "cairn/consensus/commit.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "by_hand.hpp"
#include "cairn/core/error.hpp"

using namespace cairn::consensus;

namespace {

using Cluster = by_hand::Cluster<CommitMachine>;
constexpr CommitCommand prepared{Vote::prepared};
constexpr CommitCommand aborted{Vote::aborted};

CommitConfig config_of(int participants, int acceptors) {
  CommitConfig config;
  config.id = {3, 17, 0};
  config.participants = participants;
  config.acceptors = first_acceptors(acceptors);
  return config;
}

}  // namespace

TEST_CASE("acceptors fail alone, as far as there are hosts for it") {
  struct Case {
    std::vector<int> hosts;
    std::vector<NodeIndex> acceptors;
  };
  for (const auto& [hosts, wanted] :
       {Case{{7, 7, 7, 7}, {0, 1, 2}},  // one host
        Case{{0, 0, 2, 2}, {0, 2, 1}},  // two: one of them has two
        Case{{0, 0, 0, 3, 3, 5}, {0, 3, 5}}, Case{{0, 1, 0, 1, 4, 5}, {0, 1, 4}}}) {
    const auto acceptors = spread_acceptors(hosts, 3);
    CHECK(std::vector<NodeIndex>(acceptors.begin(), acceptors.end()) == wanted);
  }
  CHECK(spread_acceptors(std::vector<int>{4}, 1).size() == 1);
  CHECK_THROWS_AS((void)spread_acceptors(std::vector<int>{4, 5}, 3), cairn::Error);
}

TEST_CASE("a commit without failures: N(F+1) + (F+1) + N messages, 3 delays, N+F+1 votes written") {
  for (const int f : {0, 1, 2, 3, 4})
    for (const int n : {1, 2, 3, 5, 9, 33, 64}) {
      if (n < f + 1) continue;
      CAPTURE(n);
      CAPTURE(f);
      Cluster cluster(config_of(n, 2 * f + 1), std::max(n, 2 * f + 1));
      for (NodeIndex node = 0; node < n; ++node) cluster.propose(node, prepared);
      CHECK(cluster.settle() == 3);
      CHECK(cluster.delivered() == n * (f + 1) + (f + 1) + n);
      CHECK(cluster.events().size() == static_cast<std::size_t>(n));
      for (NodeIndex node = 0; node < n; ++node)
        CHECK(cluster[node].decision() == Decision::committed);
      // N votes and F+1 acceptances before the decision; then each node writes that.
      CHECK(cluster.writes() == n + (f + 1) + n);
    }
}

TEST_CASE("one refusal aborts, and tells whose it was") {
  Cluster cluster(config_of(3, 1), 3);
  cluster.propose(0, prepared);
  cluster.propose(1, aborted);
  cluster.settle();
  REQUIRE(cluster.events().size() == 3);
  CHECK(cluster.events()[0] == "n0 ABORTED, not prepared {1,2}");
  CHECK(cluster[2].decision() == Decision::aborted);
}

TEST_CASE("f = 0 is two-phase commit: it blocks while its one acceptor is away, and only then") {
  Cluster cluster(config_of(3, 1), 3);
  cluster.crash(0);
  for (NodeIndex node : {1, 2}) cluster.propose(node, prepared);
  for (int round = 0; round < 100; ++round) {
    for (NodeIndex node : {1, 2}) cluster.tick(node);
    cluster.settle();
  }
  CHECK(cluster.events().empty());
  cluster.restart(0);
  cluster.propose(0, prepared);
  for (int round = 0; round < 8; ++round) {
    for (NodeIndex node : {0, 1, 2}) cluster.tick(node);
    cluster.settle();
  }
  CHECK(cluster.events().size() == 3);
  CHECK(cluster[1].decision() == Decision::committed);
}

TEST_CASE("story: participant 2 is silent, acceptor 1 takes over and aborts") {
  Cluster cluster(config_of(3, 3), 3);
  cluster.crash(2);
  cluster.crash(0);
  cluster.propose(1, prepared);
  cluster.settle();
  cluster.restart(0);
  cluster.lose_all();
  auto config = config_of(3, 3);
  cluster.tick(1, static_cast<int>(2 * config.takeover_ticks));
  cluster.lose_all();  // the first attempt is lost
  cluster.tick(1, static_cast<int>(2 * config.takeover_ticks));
  cluster.settle();
  const std::string expected =
      "n1 proposes prepared\n"
      "n1 -> n1 vote prepared\n";
  CHECK(cluster.story().substr(0, expected.size()) == expected);
  CHECK(cluster.story().find("n1 -> n0 prepare b5\n") != std::string::npos);
  CHECK(cluster.story().find("n0 -> n1 promise b5 accepted b0 prepared {1} of {1}\n") !=
        std::string::npos);
  CHECK(cluster.story().find("n1 -> n0 accept b5 prepared {1}\n") != std::string::npos);
  CHECK(cluster.story().find("n0 -> n1 accepted b5\n") != std::string::npos);
  CHECK(cluster.story().find("n1 ABORTED, not prepared {0,2}\n") != std::string::npos);
  CHECK(cluster[0].decision() == Decision::aborted);
}

TEST_CASE("story: the leader dies after all have voted, and its successor commits") {
  Cluster cluster(config_of(2, 3), 3);
  cluster.propose(0, prepared);
  cluster.propose(1, prepared);
  cluster.crash(0);
  cluster.settle();
  cluster.tick(1, 20);
  cluster.settle();
  CHECK(cluster.story() ==
        "n0 proposes prepared\n"
        "n1 proposes prepared\n"
        "n0 -> n1 vote prepared\n"
        "n1 -> n1 vote prepared\n"
        // n1 repeats its vote to all acceptors every 4 ticks, and opens ballot 2 after 20.
        "n1 -> n1 vote prepared\n"
        "n1 -> n2 vote prepared\n"
        "n1 -> n1 vote prepared\n"
        "n1 -> n2 vote prepared\n"
        "n1 -> n1 vote prepared\n"
        "n1 -> n2 vote prepared\n"
        "n1 -> n1 vote prepared\n"
        "n1 -> n2 vote prepared\n"
        "n1 -> n1 vote prepared\n"
        "n1 -> n2 vote prepared\n"
        "n1 -> n1 prepare b2\n"
        "n1 -> n2 prepare b2\n"
        "n1 -> n1 promise b2 accepted b0 prepared {0,1} of {0,1}\n"
        "n2 -> n1 promise b2 accepted b0 prepared {1} of {1}\n"
        "n1 -> n1 accept b2 prepared {0,1}\n"
        "n1 -> n2 accept b2 prepared {0,1}\n"
        "n1 -> n1 accepted b2\n"
        "n2 -> n1 accepted b2\n"
        "n1 COMMITTED\n"
        "n1 -> n1 decide committed\n");
}

TEST_CASE("a decision is told when it is durable, and survives a restart") {
  CommitMachine machine(config_of(2, 1), 1, {});
  CommitMachine::Output out;
  CommitMessage<64> decide{CommitKind::decide, Decision::committed, 0, 0, {}, {}, {3, 17, 0}};
  machine.step({0, 1, decide}, out);
  REQUIRE(out.persist);
  CHECK(out.events.empty());
  CHECK_FALSE(machine.is_decision_durable());
  const auto record = *out.persist;
  const auto token = out.token;
  out.clear();
  machine.persisted(token, out);
  REQUIRE(out.events.size() == 1);
  CHECK(out.events[0].kind == CommitEvent<64>::Kind::committed);
  const CommitMachine again(config_of(2, 1), 1,
                            {Recovered<CommitRecord<64>>::State::valid, record});
  CHECK(again.is_decision_durable());
}

TEST_CASE("an acceptor with an unreadable record abstains, for ever, and still learns") {
  Cluster cluster(config_of(1, 3), 3);
  cluster.restart(1, true);
  CommitMachine::Output out;
  const EpochId id{3, 17, 0};
  cluster[1].step({2, 1, {CommitKind::prepare, Decision::none, 3, 0, {}, {}, id}}, out);
  cluster[1].step({2, 1, {CommitKind::accept, Decision::none, 3, 0, {}, {}, id}}, out);
  cluster[1].step({0, 1, {CommitKind::vote, Decision::none, 0, 0, {}, {}, id}}, out);
  cluster[1].propose(prepared, out);
  CHECK(out.now.empty());
  CHECK(out.after_persist.empty());
  CHECK_FALSE(out.persist);
  cluster[1].step({2, 1, {CommitKind::decide, Decision::aborted, 0, 0, {}, {}, id}}, out);
  REQUIRE(out.persist);
  CHECK(out.persist->abstains);
  CHECK(cluster[1].decision() == Decision::aborted);
}

TEST_CASE("other epochs are ignored, and a younger incarnation fences") {
  CommitMachine machine(config_of(2, 1), 0, {});
  CommitMachine::Output out;
  const auto before = machine;
  machine.step({1, 0, {CommitKind::vote, Decision::none, 0, 0, {}, {}, {3, 16, 0}}}, out);
  machine.step({1, 0, {CommitKind::vote, Decision::none, 0, 0, {}, {}, {2, 17, 0}}}, out);
  CHECK(machine == before);
  CHECK(machine.hash() == before.hash());
  machine.step({1, 0, {CommitKind::ask, Decision::none, 0, 0, {}, {}, {4, 1, 0}}}, out);
  REQUIRE(out.events.size() == 1);
  CHECK(out.events[0].kind == CommitEvent<64>::Kind::fenced);
  CHECK(out.events[0].incarnation == 4);
  out.clear();
  machine.propose(prepared, out);
  machine.tick(out);
  CHECK(out.now.empty());
  CHECK(out.after_persist.empty());
}

TEST_CASE("700 nodes commit too") {
  using Wide = WideCommitMachine;
  Wide::Config config;
  config.participants = 700;
  config.acceptors = first_acceptors(1);
  Wide leader(config, 0, {});
  Wide::Output out;
  for (NodeIndex node = 0; node < 700; ++node) {
    CommitMessage<1024> vote{CommitKind::vote, Decision::none, 0, 0, {}, {}, {}};
    vote.prepared.insert(node);
    out.clear();
    leader.step({node, 0, vote}, out);
  }
  REQUIRE(out.after_persist.size() == 1);
  const auto accepted = out.after_persist[0];
  out.clear();
  leader.step(accepted, out);
  CHECK(leader.decision() == Decision::committed);
  CHECK(out.now.size() == 700);
}

TEST_CASE("configurations that make no sense are refused") {
  CHECK_NOTHROW(check(config_of(3, 3)));
  CHECK_THROWS_AS(check(config_of(0, 3)), cairn::Error);
  CHECK_THROWS_AS(check(config_of(65, 3)), cairn::Error);
  auto twice = config_of(3, 3);
  twice.acceptors[2] = 0;
  CHECK_THROWS_AS(check(twice), cairn::Error);
  CHECK_THROWS_AS((void)first_acceptors(10), cairn::Error);
}
