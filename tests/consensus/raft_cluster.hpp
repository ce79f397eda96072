/// A few Raft nodes whose messages and writes move when a story says so.
#pragma once

#include <algorithm>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "cairn/consensus/raft.hpp"
#include "cairn/consensus/raft_text.hpp"

namespace cairn::test {

using consensus::Mutant;
using consensus::NodeIndex;
using consensus::PersistToken;
using consensus::Raft;
using consensus::RaftMessage;
using consensus::RaftNodes;

/// Says what happens, a line each, to `told`.
class RaftCluster {
 public:
  explicit RaftCluster(std::size_t voters, Mutant mutant = Mutant::none)
      : voters_(voters), mutant_(mutant) {
    for (std::size_t i = 0; i < voters + 2; ++i) nodes_.emplace_back(fresh(i, {}));
  }

  std::ostringstream told;
  bool writes_at_once = true;

  [[nodiscard]] const Raft& operator[](std::size_t node) const { return nodes_.at(node).machine; }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }

  void tick(std::size_t node, int times = 1) {
    for (int i = 0; i < times; ++i)
      call(node, [](Raft& machine, Raft::Output& out) { machine.tick(out); });
  }
  void campaign(std::size_t node) {
    for (int i = 0; i < 40 && nodes_.at(node).machine.role() == Raft::Role::follower; ++i)
      tick(node);
  }
  void propose(std::size_t node, std::uint64_t command) {
    call(node, [&](Raft& machine, Raft::Output& out) {
      const auto index = machine.append({command, 0}, out);
      told << (index ? "at " + std::to_string(*index) : "refused") << '\n';
    });
  }
  void change(std::size_t node, const std::vector<std::size_t>& to) {
    RaftNodes voters;
    for (const auto each : to) voters.insert(static_cast<NodeIndex>(each));
    call(node, [&](Raft& machine, Raft::Output& out) {
      if (!machine.change(voters, out)) told << "refused\n";
    });
  }
  void transfer(std::size_t node, std::size_t to) {
    call(node, [&](Raft& machine, Raft::Output& out) {
      if (!machine.transfer(static_cast<NodeIndex>(to), out)) told << "refused\n";
    });
  }

  /// What is in flight now, in the order in which it was sent; what that causes stays in flight.
  void deliver() {
    for (const auto& flying : std::exchange(flying_, {})) {
      if (is_cut(flying.from) || is_cut(flying.to) || !nodes_.at(flying.to).up) continue;
      told << flying.from << " -> " << flying.to << ' ' << describe(flying.message) << '\n';
      call(flying.to, [&](Raft& machine, Raft::Output& out) {
        machine.step({static_cast<NodeIndex>(flying.from), static_cast<NodeIndex>(flying.to),
                      flying.message},
                     out);
      });
    }
  }
  void settle() {
    for (int i = 0; i < 50 && !flying_.empty(); ++i) deliver();
  }
  void drop() { flying_.clear(); }
  void write(std::size_t node) {
    auto& here = nodes_.at(node);
    if (here.writing.empty()) return;
    const auto write = here.writing.front();
    here.writing.erase(here.writing.begin());
    here.disk = write.first;
    told << node << " has written " << write.second << '\n';
    persisted(node, write.second);
  }

  void isolate(std::size_t node) { cut_.push_back(node); }
  void heal() { cut_.clear(); }
  void crash(std::size_t node) {
    nodes_.at(node).up = false;
    nodes_.at(node).writing.clear();
    nodes_.at(node).held.clear();
  }
  void restart(std::size_t node) {
    auto& here = nodes_.at(node);
    here.up = true;
    here.machine = fresh(node, here.disk);
  }

  /// It starts again with entries of these terms, and in the last one.
  void disk(std::size_t node, const std::vector<std::size_t>& terms) {
    Raft::Durable durable = nodes_.at(node).disk.value_or(Raft::Durable{});
    durable.log.restart({.membership = {.voters = RaftNodes::first(static_cast<int>(voters_))}});
    for (const auto term : terms) durable.log.push({.term = term});
    durable.term = durable.log.last_term();
    nodes_.at(node).disk = durable;
    crash(node);
    restart(node);
  }

  void state() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const auto& machine = nodes_[i].machine;
      if (machine.term() == 0 && i >= voters_) continue;  // never heard of
      told << i << ' ' << (nodes_[i].up ? "" : "(down) ") << describe(machine);
      told << '\n';
    }
  }

 private:
  struct Flying {
    std::size_t from;
    std::size_t to;
    RaftMessage message;
  };
  struct Node {
    explicit Node(const Raft& fresh) : machine(fresh) {}
    Raft machine;
    std::optional<Raft::Durable> disk = {};
    std::vector<std::pair<Raft::Durable, PersistToken>> writing = {};
    std::vector<std::pair<PersistToken, Flying>> held = {};
    bool up = true;
  };

  [[nodiscard]] Raft fresh(std::size_t node, const std::optional<Raft::Durable>& disk) const {
    using Recovered = consensus::Recovered<Raft::Durable>;
    const consensus::RaftConfig config{.voters = RaftNodes::first(static_cast<int>(voters_)),
                                       .mutant = mutant_};
    const auto recovered = disk ? Recovered{Recovered::State::valid, *disk} : Recovered{};
    return {config, static_cast<NodeIndex>(node), recovered};
  }

  template <typename Work>
  void call(std::size_t node, Work&& work) {
    if (!nodes_.at(node).up) return;
    Raft::Output out;
    work(nodes_.at(node).machine, out);
    take(node, out);
  }
  void persisted(std::size_t node, PersistToken token) {
    auto& here = nodes_.at(node);
    for (auto& [waits_for, flying] : std::exchange(here.held, {})) {
      if (waits_for <= token) {
        flying_.push_back(flying);
      } else {
        here.held.emplace_back(waits_for, flying);
      }
    }
    call(node, [&](Raft& machine, Raft::Output& out) { machine.persisted(token, out); });
  }
  void take(std::size_t node, const Raft::Output& out) {
    auto& here = nodes_.at(node);
    for (const auto& event : out.events) told << "  " << node << ' ' << describe(event) << '\n';
    for (const auto& sent : out.now) fly({node, static_cast<std::size_t>(sent.to), sent.message});
    for (const auto& sent : out.after_persist)
      here.held.emplace_back(out.token,
                             Flying{node, static_cast<std::size_t>(sent.to), sent.message});
    if (!out.persist) return;
    if (!writes_at_once) {
      here.writing.emplace_back(*out.persist, out.token);
      return;
    }
    here.disk = *out.persist;
    persisted(node, out.token);
  }
  void fly(const Flying& flying) {
    if (flying.to < nodes_.size()) flying_.push_back(flying);
  }
  [[nodiscard]] bool is_cut(std::size_t node) const {
    return std::find(cut_.begin(), cut_.end(), node) != cut_.end();
  }

  std::size_t voters_;
  Mutant mutant_;
  std::vector<Node> nodes_;
  std::vector<Flying> flying_;
  std::vector<std::size_t> cut_;
};

}  // namespace cairn::test
