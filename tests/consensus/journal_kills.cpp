// Nodes of a journal in processes that are killed: at random, and at each failpoint.

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "journal_cluster.hpp"
#include "other_process.hpp"

using namespace journal_test;
using cairn::test::OtherProcess;

namespace {

/// Node 2 of the cluster lives in a process of its own, until it is killed or its parent is gone.
OtherProcess node_2(Cluster& cluster, const std::string& failpoints) {
  cluster.kill(2);
  std::vector<std::string> words{CAIRN_JOURNAL_NODE, cluster.directory(2), "2", failpoints};
  for (const auto& endpoint : cluster.endpoints()) words.push_back(std::to_string(endpoint.port));
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  // A program of its own: a fork alone would share the locks of threads that it has not got.
  return OtherProcess([&] { return ::execv(argv[0], argv.data()); });
}

void check_whole(Cluster& cluster, std::uint64_t last) {
  cluster.revive(2);
  CHECK(cluster[2].status().votes);
  cluster.settle(last);
  CHECK(epochs(cluster[2].entries()) == numbers(1, last));
}

}  // namespace

TEST_CASE("a node that is killed at any moment has forgotten nothing that was final") {
  Cluster cluster(3);
  std::uint64_t last = 1;
  cluster.record(0, last);
  for (int life = 0; life < 6; ++life) {
    CAPTURE(life);
    auto process = node_2(cluster, "");
    for (int i = 0; i < 10; ++i) {
      ++last;
      cluster.record(static_cast<int>(last % 2), last);
      if (i == 2 + life) process.signal(SIGKILL);
    }
    CHECK(process.wait() == 128 + SIGKILL);
    check_whole(cluster, last);
  }
}

TEST_CASE("a node that is killed at each step of its writing, too") {
  Cluster cluster(3);
  std::uint64_t last = 1;
  cluster.record(0, last);
  for (const auto* place :
       {"journal.append", "journal.sync", "journal.record", "slots.write", "slots.sync"}) {
    for (int hit = 1; hit <= 3; ++hit) {
      CAPTURE(place);
      CAPTURE(hit);
      auto process = node_2(cluster, std::string(place) + "=kill,hit=" + std::to_string(hit));
      while (!process.has_ended()) {
        ++last;
        cluster.record(static_cast<int>(last % 2), last);
      }
      CHECK(process.wait() == 128 + SIGKILL);
      check_whole(cluster, last);
    }
  }
}

TEST_CASE("a disk that is full silences its node, and the others go on") {
  Cluster cluster(3);
  std::uint64_t last = 1;
  cluster.record(0, last);
  for (const auto* place : {"journal.append", "journal.sync", "journal.record"}) {
    CAPTURE(place);
    auto process = node_2(cluster, std::string(place) + "=ENOSPC,hit=2");
    while (!process.has_ended()) {
      ++last;
      cluster.record(static_cast<int>(last % 2), last);
    }
    CHECK(process.wait() == 3);  // it says that it does not vote any more
    ++last;
    cluster.record(0, last);
    check_whole(cluster, last);  // with room again
  }
}

TEST_CASE("nothing is promised before it is on the disk: a disk that hangs is no majority") {
  Cluster cluster(3);
  cluster.record(0, 1);
  auto process = node_2(cluster, "journal.record=stall:1000,hit=1");
  const auto& mesh = cluster.networks[0]->mesh();
  cluster.until([&] { return mesh.is_connected_to(2) && mesh.is_connected_from(2); });
  cluster.kill(1);
  CHECK(cluster[0].append(epoch(2)));
  for (int i = 0; i < 3000; ++i) {
    cluster.poll();
    ::usleep(200);
  }
  CHECK_FALSE(cluster.has(0, 2));
  cluster.until([&] { return !cluster[0].status().has_majority; });  // it says so itself
  process.signal(SIGKILL);
  process.wait();
  cluster.revive(1);
  cluster.settle(2);
  check_whole(cluster, 2);
}
