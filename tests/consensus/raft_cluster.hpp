/// A few Raft nodes whose messages and writes move when a story says so.
#pragma once

#include <algorithm>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "cairn/consensus/raft.hpp"

namespace cairn::test {

using consensus::NodeIndex;
using consensus::NodeSet;
using consensus::Raft;
using consensus::RaftDurable;
using consensus::RaftEntry;
using consensus::RaftEvent;
using consensus::RaftMessage;
using consensus::RaftMutant;
using consensus::RaftOutput;

/// Says what happens, a line each, to `told`.
class RaftCluster {
 public:
  explicit RaftCluster(std::size_t voters, RaftMutant mutant = RaftMutant::none)
      : voters_(voters), mutant_(mutant) {
    for (std::size_t i = 0; i < voters + 2; ++i) nodes_.emplace_back(Raft(options(i), {}));
  }

  std::ostringstream told;
  bool writes_at_once = true;

  [[nodiscard]] const Raft& operator[](std::size_t node) const { return nodes_.at(node).machine; }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }

  void tick(std::size_t node, int times = 1) {
    for (int i = 0; i < times; ++i)
      call(node, [](Raft& machine, RaftOutput& out) { machine.tick(out); });
  }
  void campaign(std::size_t node) {
    for (int i = 0; i < 40 && nodes_.at(node).machine.role() == Raft::Role::follower; ++i)
      tick(node);
  }
  void propose(std::size_t node, std::uint64_t command) {
    call(node, [&](Raft& machine, RaftOutput& out) {
      const auto index = machine.propose({command, 0}, out);
      told << (index ? "at " + std::to_string(*index) : "refused") << '\n';
    });
  }
  void change(std::size_t node, const std::vector<std::size_t>& to) {
    NodeSet voters;
    for (const auto each : to) voters.insert(static_cast<NodeIndex>(each));
    call(node, [&](Raft& machine, RaftOutput& out) {
      if (!machine.change(voters, out)) told << "refused\n";
    });
  }
  void transfer(std::size_t node, std::size_t to) {
    call(node, [&](Raft& machine, RaftOutput& out) {
      if (!machine.transfer(static_cast<NodeIndex>(to), out)) told << "refused\n";
    });
  }

  /// What is in flight now, in the order in which it was sent; what that causes stays in flight.
  void deliver() {
    for (const auto& flying : std::exchange(flying_, {})) {
      if (is_cut(flying.from) || is_cut(flying.to) || !nodes_.at(flying.to).up) continue;
      told << text(flying) << '\n';
      call(flying.to, [&](Raft& machine, RaftOutput& out) {
        machine.step(static_cast<NodeIndex>(flying.from), flying.message, out);
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
    here.machine = Raft(options(node), here.disk);
  }

  void state() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const auto& machine = nodes_[i].machine;
      const auto& log = machine.log();
      if (machine.term() == 0 && i >= voters_) continue;  // never heard of
      told << i << ' ' << (nodes_[i].up ? role(machine) : "down") << " term " << machine.term()
           << " commit " << machine.commit() << " log";
      if (log.snapshot().index != 0) told << " ..." << log.snapshot().index;
      for (auto index = log.first(); index <= log.last(); ++index)
        told << ' ' << text(log.at(index));
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
    RaftDurable disk = {};
    std::vector<std::pair<RaftDurable, std::uint64_t>> writing = {};
    std::vector<std::pair<std::uint64_t, Flying>> held = {};
    bool up = true;
  };

  /// Node n's timeout is 10 + 2n ticks or so: chosen seeds, so that stories do not depend on luck.
  [[nodiscard]] consensus::RaftOptions options(std::size_t self) const {
    return {.self = static_cast<NodeIndex>(self),
            .voters = NodeSet::first(voters_),
            .seed = self,
            .mutant = mutant_};
  }

  template <typename Work>
  void call(std::size_t node, Work&& work) {
    if (!nodes_.at(node).up) return;
    RaftOutput out;
    work(nodes_.at(node).machine, out);
    take(node, out);
  }
  void persisted(std::size_t node, std::uint64_t token) {
    auto& here = nodes_.at(node);
    for (auto& [waits_for, flying] : std::exchange(here.held, {})) {
      if (waits_for <= token) {
        flying_.push_back(flying);
      } else {
        here.held.emplace_back(waits_for, flying);
      }
    }
    call(node, [&](Raft& machine, RaftOutput& out) { machine.persisted(token, out); });
  }
  void take(std::size_t node, const RaftOutput& out) {
    auto& here = nodes_.at(node);
    for (const auto& event : out.events) told << "  " << node << ' ' << text(event) << '\n';
    for (const auto& sent : out.now) fly({node, sent.to, sent.message});
    for (const auto& sent : out.after_persist)
      here.held.emplace_back(out.token, Flying{node, sent.to, sent.message});
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

  static std::string role(const Raft& machine) {
    if (machine.is_broken()) return "broken";
    switch (machine.role()) {
      case Raft::Role::follower:
        return "follower";
      case Raft::Role::pre_candidate:
        return "pre-candidate";
      case Raft::Role::candidate:
        return "candidate";
      case Raft::Role::leader:
        return "leader";
    }
    return "?";
  }
  static std::string text(NodeSet set) {
    std::string result = "{";
    for (NodeIndex node = 0; node < consensus::most_nodes; ++node)
      if (set.contains(node)) result += (result.size() > 1 ? "," : "") + std::to_string(node);
    return result + "}";
  }
  /// Its term, and what it holds.
  static std::string text(const RaftEntry& entry) {
    const auto term = std::to_string(entry.term) + ":";
    if (entry.kind == RaftEntry::Kind::nothing) return term + "-";
    if (entry.kind == RaftEntry::Kind::command) return term + std::to_string(entry.command[0]);
    return term + text(entry.membership.voters) +
           (entry.membership.is_joint() ? "<-" + text(entry.membership.leaving) : "");
  }
  static std::string text(const RaftEvent& event) {
    switch (event.kind) {
      case RaftEvent::Kind::committed:
        return "applies " + std::to_string(event.index) + " = " + text(event.entry);
      case RaftEvent::Kind::installed:
        return "takes a snapshot up to " + std::to_string(event.index);
      case RaftEvent::Kind::leader:
        return "leads term " + std::to_string(event.term);
      case RaftEvent::Kind::follower:
        return "leads no more";
      case RaftEvent::Kind::broken:
        return "falls silent";
    }
    return "?";
  }
  static std::string text(const Flying& flying) {
    const auto& message = flying.message;
    std::ostringstream line;
    line << flying.from << " -> " << flying.to << ' ';
    using Kind = RaftMessage::Kind;
    const char* answer = message.accepted ? "yes" : "no";
    switch (message.kind) {
      case Kind::pre_vote:
      case Kind::vote:
        line << (message.kind == Kind::vote ? "vote" : "pre-vote") << " term " << message.term
             << " log " << message.index << '@' << message.log_term
             << (message.forced ? " forced" : "");
        break;
      case Kind::pre_vote_reply:
      case Kind::vote_reply:
        line << (message.kind == Kind::vote_reply ? "vote " : "pre-vote ") << answer << " term "
             << message.term;
        break;
      case Kind::append:
        line << "append term " << message.term << " behind " << message.index << '@'
             << message.log_term << " commit " << message.commit;
        for (const auto& entry : message.entries) line << ' ' << text(entry);
        break;
      case Kind::append_reply:
        line << "append " << answer << " term " << message.term << " up to " << message.index;
        break;
      case Kind::snapshot:
        line << "snapshot term " << message.term << " up to " << message.snapshot.index;
        break;
      case Kind::timeout_now:
        line << "timeout now, term " << message.term;
        break;
    }
    return line.str();
  }

  std::size_t voters_;
  RaftMutant mutant_;
  std::vector<Node> nodes_;
  std::vector<Flying> flying_;
  std::vector<std::size_t> cut_;
};

}  // namespace cairn::test
