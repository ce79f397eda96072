// The job journal on a simulated network that loses, repeats, reorders and cuts, with nodes that
// come and go. The disks are real, so a seed gives the faults but not their exact moments.

#include <doctest/doctest.h>

#include <set>

#include "cairn/transport/simulated_network.hpp"
#include "effort.hpp"
#include "journal_cluster.hpp"

using namespace journal_test;
using cairn::transport::Draws;
using cairn::transport::Faults;
using Air = cairn::transport::SimulatedNetwork<JournalMessage>;

namespace {

class Storm {
 public:
  Storm(int nodes, std::uint64_t seed)
      : nodes_(nodes),
        faults_(cairn::transport::swarm(seed)),
        air_(nodes, faults_, seed),
        luck_(seed, 7),
        replicas_(static_cast<std::size_t>(nodes)) {
    for (int i = 0; i < nodes; ++i) {
      create_journal(directory(i), options(i));
      open(i);
    }
  }

  /// Faults for a while; every node says something now and then.
  void rage() {
    for (int time = 0; time < 300; ++time) {
      if (luck_.chance(3000)) cut();
      if (luck_.chance(2000)) crash(any());
      if (luck_.chance(6000)) say(any());
      advance();
      for (int i = 0; i < nodes_; ++i)
        if (!replicas_[static_cast<std::size_t>(i)] && luck_.chance(2000)) open(i);
    }
  }

  /// All comes back; every word that was given while its node lived becomes final at all.
  void heal() {
    air_.heal();
    for (int i = 0; i < nodes_; ++i)
      if (!replicas_[static_cast<std::size_t>(i)]) open(i);
    say(0);
    const cairn::test::Deadline deadline;
    while (!is_settled()) {
      deadline.check([&] { return describe_all(replicas_); });
      advance();
    }
  }

  void check() {
    const auto& first = replicas_[0]->entries();
    std::set<std::uint64_t> once;
    for (const auto& record : first) CHECK(once.insert(record.entry.epoch).second);
    for (const auto number : wanted_) CHECK(once.contains(number));
    for (const auto number : seen_final_) CHECK(once.contains(number));
    for (const auto& replica : replicas_) {
      CHECK(replica->entries() == first);
      CHECK(replica->status().votes);
      CHECK(replica->status().trouble.empty());
    }
  }

 private:
  std::filesystem::path directory(int i) const { return scratch_ / std::to_string(i); }
  JournalOptions options(int i) const {
    return {.identity = journal_identity("storm"), .node = i, .nodes = nodes_};
  }
  void open(int i) {
    replicas_[static_cast<std::size_t>(i)] =
        std::make_unique<JournalReplica>(directory(i), options(i));
  }
  int any() { return static_cast<int>(luck_.below(static_cast<std::uint32_t>(nodes_))); }

  void cut() {
    const int a = any();
    const int b = any();
    luck_.chance(32768) ? air_.cut(a, b) : air_.join(a, b);
  }
  void crash(int i) {
    auto& replica = replicas_[static_cast<std::size_t>(i)];
    if (!replica) return;
    for (const auto& record : replica->entries()) seen_final_.insert(record.entry.epoch);
    replica.reset();
    // What it was asked for may be lost with it.
    std::erase_if(wanted_, [&](std::uint64_t number) { return number % 100 == unsigned(i); });
  }
  void say(int i) {
    auto& replica = replicas_[static_cast<std::size_t>(i)];
    if (!replica) return;
    const auto number = 100 * ++said_ + static_cast<std::uint64_t>(i);
    if (replica->append(epoch(number))) wanted_.insert(number);
  }

  void advance() {
    air_.advance([&](const Air::Arrival& arrival) {
      auto& replica = replicas_[static_cast<std::size_t>(arrival.envelope.to)];
      if (replica) replica->step(arrival.envelope);
    });
    for (auto& replica : replicas_) {
      if (!replica) continue;
      if (air_.now() % 16 == 0) replica->tick();
      replica->advance();
      for (const auto& envelope : replica->outbox()) air_.send(envelope);
      replica->outbox().clear();
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200));  // the disks are real
  }

  bool is_settled() {
    for (const auto& replica : replicas_) {
      if (replica->status().waiting != 0 || !replica->status().has_majority) return false;
      if (!replica->status().trouble.empty()) return false;  // a disk of this machine lags
      if (replica->entries().size() != replicas_[0]->entries().size()) return false;
    }
    return replicas_[0]->entries().size() >= wanted_.size();
  }

  int nodes_;
  cairn::test::Scratch scratch_;
  Faults faults_;
  Air air_;
  Draws luck_;
  std::vector<std::unique_ptr<JournalReplica>> replicas_;
  std::uint64_t said_ = 0;
  std::set<std::uint64_t> wanted_;      // given to a node that has lived since
  std::set<std::uint64_t> seen_final_;  // at a node that then went
};

}  // namespace

TEST_CASE("through any weather: nothing final is lost, all agree, every word is final once") {
  const std::uint64_t schedules = effort::is_long() ? 500 : effort::sanitized ? 2 : 8;
  for (std::uint64_t seed = 1; seed <= schedules; ++seed) {
    CAPTURE(seed);
    Storm storm(seed % 3 == 0 ? 5 : 3, seed);
    for (int times = 0; times < 2; ++times) {
      storm.rage();
      storm.heal();
      storm.check();
    }
  }
}
