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

TEST_CASE("story: the proposer dies before it tells, and a learner asks the acceptors") {
  Cluster cluster(config_of(4, 3), 4);
  cluster.propose(0, PaxosCommand{7});
  while (cluster[1].state().accepted_ballot == 0) cluster.settle_round();
  cluster.lose_all();
  cluster.crash(0);
  const auto before = cluster.story();
  cluster.tick(3, 4);
  cluster.settle();
  CHECK(cluster.story().substr(before.size()) ==
        "n3 -> n1 ask\n"
        "n3 -> n2 ask\n"
        "n1 -> n3 accepted b1 7\n"
        "n2 -> n3 accepted b1 7\n"
        "n3 CHOSEN 7\n");
  // An acceptor is told by whoever knows.
  CHECK(cluster[1].chosen() == 0);
  cluster.tick(1, 4);
  cluster.settle();
  CHECK(cluster[1].chosen() == 0);
  cluster.restart(0);
  cluster.tick(0, 8);
  cluster.settle();
  CHECK(cluster[0].chosen() == 0);  // it has forgotten what it wanted
  cluster.propose(2, PaxosCommand{9});
  cluster.settle();
  CHECK(cluster[1].chosen() == 7);
}

TEST_CASE("a learner adds up acceptances of one ballot, each acceptor once") {
  const auto told = [](auto& learner, NodeIndex acceptor, Ballot ballot, Value value) {
    typename std::remove_reference_t<decltype(learner)>::Output out;
    learner.step({acceptor, 3, {PaxosKind::accepted, ballot, 0, value}}, out);
    return learner.chosen();
  };
  PaxosMachine learner(config_of(4, 3), 3, {});
  CHECK(told(learner, 0, 1, 7) == 0);
  CHECK(told(learner, 0, 1, 7) == 0);
  CHECK(told(learner, 1, 4, 9) == 0);
  CHECK(told(learner, 2, 1, 7) == 0);  // late, and the learner no longer counts ballot 1
  CHECK(told(learner, 3, 4, 9) == 0);  // no acceptor
  CHECK(told(learner, 2, 4, 9) == 9);

  MutatedPaxosMachine::Config careless;
  careless.nodes = 4;
  careless.acceptors = first_acceptors(3);
  careless.phase1 = careless.phase2 = 2;
  careless.mutation.mutant = Mutant::learn_across_ballots;
  MutatedPaxosMachine mixed(careless, 3, {});
  CHECK(told(mixed, 0, 1, 7) == 0);
  CHECK(told(mixed, 1, 4, 9) == 9);  // which nobody may know yet
}

TEST_CASE("a learner is told nothing that a crash could take back") {
  PaxosMachine acceptor(config_of(4, 3), 1, {});
  PaxosMachine::Output out;
  acceptor.step({0, 1, {PaxosKind::accept, 1, 0, 7}}, out);
  REQUIRE(out.persist);
  const auto token = out.token;
  out.clear();
  acceptor.step({3, 1, {PaxosKind::ask, 0, 0, 0}}, out);
  CHECK(out.now.empty());
  REQUIRE(out.after_persist.size() == 1);
  CHECK(out.after_persist[0].message == PaxosMessage{PaxosKind::accepted, 1, 0, 7});
  CHECK(out.token == token);
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
