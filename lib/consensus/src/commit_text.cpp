// Commit's words, and the check of its configuration.

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "cairn/consensus/commit.hpp"
#include "cairn/core/error.hpp"

namespace cairn::consensus {
namespace {

std::string_view name_of(Decision decision) {
  return decision == Decision::committed ? "committed"
         : decision == Decision::aborted ? "aborted"
                                         : "undecided";
}

std::string_view name_of(Vote vote) {
  return vote == Vote::prepared ? "prepared" : vote == Vote::aborted ? "aborted" : "no vote";
}

std::string list_of(const NodeSet<64>& nodes) {
  std::string text = "{";
  for (NodeIndex node = 0; node < 64; ++node)
    if (nodes.contains(node)) text += (text.size() > 1 ? "," : "") + std::to_string(node);
  return text + "}";
}

void expect_acceptors(int count, int nodes) {
  const int most = std::min(nodes, acceptors_max);
  if (count < 1 || count > most)
    throw Error(Errc::usage,
                std::to_string(count) + " acceptors: there must be 1 to " + std::to_string(most));
}

}  // namespace

Bounded<NodeIndex, acceptors_max> spread_acceptors(std::span<const int> domains, int count) {
  expect_acceptors(count, static_cast<int>(domains.size()));
  Bounded<NodeIndex, acceptors_max> acceptors;
  const auto domain = [&](NodeIndex node) { return domains[static_cast<std::size_t>(node)]; };
  const auto neighbours = [&](NodeIndex node) {  // acceptors that fail together with it
    const auto is_near = [&](NodeIndex other) { return domain(other) == domain(node); };
    return std::ranges::count_if(acceptors, is_near);
  };
  while (static_cast<int>(acceptors.size()) < count) {
    std::optional<NodeIndex> best;
    for (NodeIndex node = 0; node < static_cast<NodeIndex>(domains.size()); ++node)
      if (std::ranges::find(acceptors, node) == acceptors.end() &&
          (!best || neighbours(node) < neighbours(*best)))
        best = node;
    acceptors.push_back(*best);
  }
  return acceptors;
}

Bounded<NodeIndex, acceptors_max> first_acceptors(int count) {
  expect_acceptors(count, acceptors_max);
  Bounded<NodeIndex, acceptors_max> acceptors;
  for (NodeIndex node = 0; node < count; ++node) acceptors.push_back(node);
  return acceptors;
}

void check(const CommitConfig& config, int capacity) {
  if (config.participants < 1 || config.participants > capacity)
    throw Error(Errc::usage, std::to_string(config.participants) +
                                 " participants: there must be 1 to " + std::to_string(capacity));
  if (config.acceptors.empty()) throw Error(Errc::usage, "a commit needs an acceptor");
  for (std::size_t i = 0; i < config.acceptors.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (config.acceptors[i] == config.acceptors[j])
        throw Error(Errc::usage,
                    "node " + std::to_string(config.acceptors[i]) + " is an acceptor twice");
}

std::string describe(const CommitMessage<64>& message) {
  const auto ballot = " b" + std::to_string(message.ballot);
  switch (message.kind) {
    case CommitKind::vote:
      return message.prepared.empty() ? "vote aborted" : "vote prepared";
    case CommitKind::prepare:
      return "prepare" + ballot;
    case CommitKind::promise:
      return "promise" + ballot +
             (message.voted.empty()
                  ? " nothing accepted"
                  : " accepted b" + std::to_string(message.accepted_ballot) + " prepared " +
                        list_of(message.prepared) + " of " + list_of(message.voted));
    case CommitKind::accept:
      return "accept" + ballot + " prepared " + list_of(message.prepared);
    case CommitKind::accepted:
      return "accepted" + ballot +
             (message.ballot > 0
                  ? ""
                  : " prepared " + list_of(message.prepared) + " of " + list_of(message.voted));
    case CommitKind::refuse:
      return "refuse, promised b" + std::to_string(message.ballot);
    case CommitKind::decide:
      return "decide " + std::string(name_of(message.decision));
    case CommitKind::ask:
      return "ask";
  }
  return {};
}

std::string describe(const CommitRecord<64>& record) {
  auto text = std::string(name_of(record.vote)) + ", promised b" + std::to_string(record.promised);
  if (!record.voted.empty())
    text += ", accepted b" + std::to_string(record.accepted_ballot) + " prepared " +
            list_of(record.prepared) + " of " + list_of(record.voted);
  if (record.decision != Decision::none) text += ", " + std::string(name_of(record.decision));
  return record.abstains ? text + ", abstains" : text;
}

std::string describe(const CommitEvent<64>& event) {
  using Kind = CommitEvent<64>::Kind;
  if (event.kind == Kind::committed) return "COMMITTED";
  if (event.kind == Kind::aborted) return "ABORTED, not prepared " + list_of(event.culprits);
  return "FENCED by incarnation " + std::to_string(event.incarnation);
}

std::string describe(const CommitCommand& command) { return std::string(name_of(command.vote)); }

}  // namespace cairn::consensus
