#include "cairn/consensus/raft_text.hpp"

namespace cairn::consensus {

namespace {

using Kind = RaftMessage::Kind;

std::string text(std::uint64_t number) { return std::to_string(number); }

std::string place(const RaftMessage& message) {
  return text(message.index) + "@" + text(message.log_term);
}

std::string describe(const RaftLog& log) {
  std::string result = "log";
  if (log.snapshot().index != 0) result += " ..." + text(log.snapshot().index);
  for (auto index = log.first(); index <= log.last(); ++index)
    result += " " + describe(log.at(index));
  return result;
}

std::string name_of(const Raft& machine) {
  if (machine.is_broken()) return "broken";
  if (machine.is_unreadable()) return "unreadable";
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

}  // namespace

std::string describe(RaftNodes nodes) {
  std::string result = "{";
  for (NodeIndex node = 0; node < raft_nodes_max; ++node)
    if (nodes.contains(node)) result += (result.size() > 1 ? "," : "") + std::to_string(node);
  return result + "}";
}

std::string describe(const RaftEntry& entry) {
  const auto term = text(entry.term) + ":";
  if (entry.kind == RaftEntry::Kind::nothing) return term + "-";
  if (entry.kind == RaftEntry::Kind::command) return term + text(entry.command[0]);
  return term + describe(entry.membership.voters) +
         (entry.membership.is_joint() ? "<-" + describe(entry.membership.leaving) : "");
}

std::string describe(const RaftMessage& message) {
  const auto answer = std::string(message.accepted ? "yes" : "no") + " term " + text(message.term);
  const auto term = " term " + text(message.term);
  switch (message.kind) {
    case Kind::pre_vote:
      return "pre-vote" + term + " log " + place(message);
    case Kind::pre_vote_reply:
      return "pre-vote " + answer;
    case Kind::vote:
      return "vote" + term + " log " + place(message) + (message.forced ? " forced" : "");
    case Kind::vote_reply:
      return "vote " + answer;
    case Kind::append: {
      auto result =
          "append" + term + " behind " + place(message) + " commit " + text(message.commit);
      for (const auto& entry : message.entries) result += " " + describe(entry);
      return result;
    }
    case Kind::append_reply:
      return "append " + answer + " up to " + text(message.index);
    case Kind::snapshot:
      return "snapshot" + term + " up to " + text(message.snapshot.index);
    case Kind::timeout_now:
      return "timeout now," + term;
  }
  return "?";
}

std::string describe(const RaftEvent& event) {
  switch (event.kind) {
    case RaftEvent::Kind::committed:
      return "applies " + text(event.index) + " = " + describe(event.entry);
    case RaftEvent::Kind::installed:
      return "takes a snapshot up to " + text(event.index);
    case RaftEvent::Kind::leader:
      return "leads term " + text(event.term);
    case RaftEvent::Kind::follower:
      return "leads no more";
    case RaftEvent::Kind::broken:
      return "falls silent";
  }
  return "?";
}

std::string describe(const RaftRequest& request) {
  switch (request.kind) {
    case RaftRequest::Kind::command:
      return "command " + text(request.command[0]);
    case RaftRequest::Kind::change:
      return "voters " + describe(request.voters);
    case RaftRequest::Kind::transfer:
      return "hand over to " + std::to_string(request.heir);
  }
  return "?";
}

std::string describe(const RaftDurable& durable) {
  return "term " + text(durable.term) +
         (durable.vote ? " vote " + std::to_string(*durable.vote) : "") + " " +
         describe(durable.log);
}

std::string describe(const Raft& machine) {
  return name_of(machine) + " term " + text(machine.term()) + " commit " + text(machine.commit()) +
         " " + describe(machine.log());
}

}  // namespace cairn::consensus
