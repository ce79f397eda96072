#include "cairn/consensus/paxos.hpp"

#include <doctest/doctest.h>

#include <string>

#include "by_hand.hpp"

using namespace cairn::consensus;

namespace {

using Cluster = by_hand::Cluster<PaxosMachine>;

PaxosConfig config_of(int nodes, int acceptors) {
  return paxos_config(nodes, FlexibleQuorum::majorities(acceptors));
}

}  // namespace

TEST_CASE("story: one proposer, three acceptors") {
  Cluster cluster(config_of(3, 3), 3);
  cluster.propose(0, PaxosCommand{7});
  CHECK(cluster.settle() == 5);
  CHECK(cluster.story() ==
        "n0 proposes 7\n"
        "n0 -> n0 prepare b1\n"
        "n0 -> n1 prepare b1\n"
        "n0 -> n2 prepare b1\n"
        "n0 -> n0 promise b1 nothing accepted\n"
        "n1 -> n0 promise b1 nothing accepted\n"
        "n2 -> n0 promise b1 nothing accepted\n"
        "n0 -> n0 accept b1 7\n"
        "n0 -> n1 accept b1 7\n"
        "n0 -> n2 accept b1 7\n"
        "n0 -> n0 accepted b1\n"
        "n1 -> n0 accepted b1\n"
        "n0 CHOSEN 7\n"
        "n2 -> n0 accepted b1\n"
        "n0 -> n1 learn 7\n"
        "n1 CHOSEN 7\n"
        "n0 -> n2 learn 7\n"
        "n2 CHOSEN 7\n"
        "n0 -> n2 learn 7\n");
}

TEST_CASE("story: a second proposer finds the value of the first, who died before telling") {
  Cluster cluster(config_of(3, 3), 3);
  cluster.propose(0, PaxosCommand{7});
  cluster.crash(2);
  // Up to the acceptance by n0 and n1, no further.
  while (cluster[1].state().accepted_ballot == 0) cluster.settle_round();
  cluster.lose_all();
  cluster.crash(0);
  cluster.restart(2);
  cluster.propose(2, PaxosCommand{9});
  cluster.settle();
  CHECK(cluster.story().find("n1 -> n2 promise b3 accepted b1 7\n") != std::string::npos);
  CHECK(cluster[2].chosen() == 7);
  CHECK(cluster[1].chosen() == 7);
  cluster.restart(0);
  cluster.tick(0, 4);
  cluster.settle();
  CHECK(cluster[0].chosen() == 7);
}

TEST_CASE("a refused proposer opens a ballot above what it was told") {
  Cluster cluster(config_of(3, 3), 3);
  cluster.crash(0);
  cluster.propose(2, PaxosCommand{9});
  cluster.settle_round();  // n1 and n2 have promised ballot 3
  cluster.lose_all();
  cluster.restart(0);
  cluster.propose(0, PaxosCommand{7});
  cluster.settle();
  CHECK(cluster[0].chosen() == 0);
  CHECK(cluster.story().find("refuse, promised b3\n") != std::string::npos);
  cluster.tick(0, 8);
  cluster.settle();
  CHECK(cluster.story().find("n0 -> n1 prepare b4\n") != std::string::npos);
  CHECK(cluster[0].chosen() == 7);
}

TEST_CASE("flexible quorums: 4 promises of 5, and 2 acceptances choose") {
  Cluster cluster(paxos_config(5, FlexibleQuorum(5, 4, 2)), 5);
  cluster.crash(4);
  cluster.propose(0, PaxosCommand{7});
  cluster.settle_round();
  cluster.settle_round();  // 4 promises
  for (NodeIndex node : {2, 3}) cluster.crash(node);
  cluster.settle();
  CHECK(cluster[0].chosen() == 7);
  CHECK(cluster[1].chosen() == 7);
}

TEST_CASE("an unreadable record silences acceptor and proposer") {
  PaxosMachine machine(config_of(3, 3), 1, {Recovered<PaxosRecord>::State::unreadable, {}});
  PaxosMachine::Output out;
  machine.propose({5}, out);
  machine.step({0, 1, {PaxosKind::prepare, 1, 0, 0}}, out);
  machine.step({0, 1, {PaxosKind::accept, 1, 0, 5}}, out);
  CHECK(out.now.empty());
  CHECK(out.after_persist.empty());
  machine.step({0, 1, {PaxosKind::learn, 0, 0, 5}}, out);
  REQUIRE(out.persist);
  CHECK(out.persist->abstains);
}
