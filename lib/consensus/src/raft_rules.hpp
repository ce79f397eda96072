/// What a few Raft nodes may be asked in an exploration, and what must hold in every state of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cairn/consensus/cluster_model.hpp"
#include "cairn/consensus/raft.hpp"

namespace cairn::consensus {

/// Terms have no end, so stories end before a node begins one above `term_max`.
struct RaftRules {
  using Nodes = std::span<const LocalState<Raft>* const>;

  std::uint64_t term_max = 1;
  int commands_max = 1;
  RaftNodes voters = {};
  bool terms_stay = true;  ///< no crash takes a term back that others may have heard of

  [[nodiscard]] bool is_within(const Raft& machine) const { return machine.term() <= term_max; }

  /// Answers to what is over: if terms do not fall, no node leads a term, or is a candidate in it,
  /// a second time.
  [[nodiscard]] bool is_dead(const RaftMessage& message, const Raft& receiver) const {
    using enum RaftMessage::Kind;
    if (!terms_stay) return false;
    const auto term = receiver.term();
    const auto role = receiver.role();
    const bool is_past = message.term < term;
    switch (message.kind) {
      case pre_vote_reply:
        return message.accepted ? message.term <= term : is_past;
      case vote_reply:
        return is_past || (message.term == term && role != Raft::Role::candidate);
      case append_reply:
        return is_past ||
               (message.term == term && role != Raft::Role::candidate && !leads(receiver));
      default:
        return false;
    }
  }

  /// A leader is asked for the next command, until its log has all of them.
  [[nodiscard]] std::vector<RaftRequest> commands(const Raft& machine) const {
    if (machine.role() != Raft::Role::leader) return {};
    const auto& log = machine.log();
    int known = 0;
    for (auto index = log.first(); index <= log.last(); ++index)
      known += log.at(index).kind == RaftEntry::Kind::command ? 1 : 0;
    if (known >= commands_max) return {};
    return {{.command = {static_cast<std::uint64_t>(known) + 1, machine.term()}}};
  }

  [[nodiscard]] std::string check(Nodes nodes) const {
    for (const auto* a : nodes) {
      if (a->machine.is_broken()) return "a node has seen what cannot be";
      if (auto text = check_committed(*a, nodes); !text.empty()) return text;
      for (const auto* b : nodes) {
        if (a == b) continue;
        if (auto text = check_pair(*a, *b); !text.empty()) return text;
      }
    }
    return {};
  }

 private:
  using Local = LocalState<Raft>;

  static bool leads(const Raft& machine) { return machine.role() == Raft::Role::leader; }

  static std::string check_pair(const Local& a, const Local& b) {
    if (leads(a.machine) && leads(b.machine) && a.machine.term() == b.machine.term())
      return "election safety: two leaders of term " + std::to_string(a.machine.term());
    if (!are_matching(a.disk.durable.log, b.disk.durable.log))
      return "log matching: different entries before one of the same term";
    const auto& log = a.machine.log();
    const auto& other = b.machine.log();
    for (std::uint64_t index = 1; index <= a.machine.commit(); ++index) {
      const auto number = std::to_string(index);
      if (index <= b.machine.commit() && log.at(index) != other.at(index))
        return "state machine safety: two entries are committed at " + number;
      // One of an older term is to be outdated, and may lack it.
      const bool must_have = leads(b.machine) && b.machine.term() >= a.machine.term();
      if (must_have && !(other.has(index) && other.at(index) == log.at(index)))
        return "leader completeness: a leader lacks entry " + number + ", which is committed";
    }
    return {};
  }

  /// Up to the last entry of the same index and term.
  static bool are_matching(const RaftLog& a, const RaftLog& b) {
    bool is_alike = false;
    for (auto index = std::min(a.last(), b.last()); index >= 1; --index) {
      is_alike = is_alike || a.term_at(index) == b.term_at(index);
      if (is_alike && a.at(index) != b.at(index)) return false;
    }
    return true;
  }

  /// What a node knows to be committed stands on the disks of a majority.
  [[nodiscard]] std::string check_committed(const Local& node, Nodes nodes) const {
    for (std::uint64_t index = 1; index <= node.machine.commit(); ++index) {
      RaftNodes holders;
      for (std::size_t i = 0; i < nodes.size(); ++i) {
        const auto& log = nodes[i]->disk.durable.log;
        if (log.has(index) && log.at(index) == node.machine.log().at(index))
          holders.insert(static_cast<NodeIndex>(i));
      }
      if (majority_verdict(voters.bits(), holders.bits(), 0) != Verdict::won)
        return "durability: entry " + std::to_string(index) +
               " is committed and not on the disks of a majority";
    }
    return {};
  }
};

}  // namespace cairn::consensus
