#include "cairn/consensus/raft_judge.hpp"

#include <algorithm>
#include <utility>

namespace cairn::consensus {

namespace {

/// Marks the commands that are asked for once all is healed.
constexpr std::uint64_t marker = std::uint64_t{1} << 32;

constexpr transport::Chance per_mille(std::uint32_t value) { return value * 65536 / 1000; }

}  // namespace

RaftJudge::RaftJudge(int voters, Mutant mutant)
    : voters_(voters), config_{.voters = RaftNodes::first(voters), .mutant = mutant}, luck_(0) {}

transport::Faults RaftJudge::weather(std::uint64_t seed) noexcept {
  auto faults = transport::swarm(seed);
  transport::Draws draws(seed, 11);
  // An election takes some ten ticks, and a few messages within one or two of them.
  faults.delay_max = 1 + draws.below(3);
  faults.tick_every = 1 + draws.below(3);
  faults.safety_length = 150 + draws.below(250);
  faults.crash = std::min(faults.crash, per_mille(50));
  faults.pause = std::min(faults.pause, per_mille(10));
  faults.partition = std::min(faults.partition, per_mille(15));
  faults.write_max = 1 + draws.below(12);
  return faults;
}

void RaftJudge::begin(std::uint64_t seed) {
  luck_ = transport::Draws(seed, 12);
  config_.seed = luck_.bits();
  command_percent_ = 2 + luck_.below(30);
  change_percent_ = luck_.below(5) < 2 ? 2 + luck_.below(10) : 0;
  transfer_percent_ = luck_.below(3) == 0 ? 1 + luck_.below(4) : 0;
  has_changed_voters_ = false;
  next_command_ = 1;
  last_marker_ = wanted_ = 0;
  membership_ = {.voters = config_.voters};
  applied_.assign(1, {});
  elections_.clear();
  disks_.assign(static_cast<std::size_t>(nodes()), {});
  told_.assign(static_cast<std::size_t>(nodes()), {});
  torn_ = {};
  violation_.clear();
}

void RaftJudge::fail(std::string what) {
  if (violation_.empty()) violation_ = std::move(what);
}

// --- the application -------------------------------------------------------------------------

std::optional<RaftRequest> RaftJudge::command(NodeIndex node, const Raft& machine, bool is_healed) {
  if (machine.role() != Raft::Role::leader) return std::nullopt;
  judge_completeness(node, machine);
  if (is_healed) {
    // Again when a leader may have gone with the last one, but not at each tick.
    if (wanted_ != 0 || luck_.below(20) != 0) return std::nullopt;
    return RaftRequest{.command = {marker + ++last_marker_, 0}};
  }
  if (luck_.below(100) < command_percent_ + change_percent_ + transfer_percent_)
    return request(machine);
  return std::nullopt;
}

RaftRequest RaftJudge::request(const Raft& machine) {
  const auto which = luck_.below(command_percent_ + change_percent_ + transfer_percent_);
  const auto any_node = [&] {
    return static_cast<NodeIndex>(luck_.below(static_cast<std::uint32_t>(nodes())));
  };
  if (which < command_percent_) return {.command = {next_command_++, machine.term()}};
  if (which >= command_percent_ + change_percent_)
    return {.kind = RaftRequest::Kind::transfer, .heir = any_node()};
  has_changed_voters_ = true;
  RaftNodes voters;
  while (voters.size() < std::min(voters_, 3)) voters.insert(any_node());
  return {.kind = RaftRequest::Kind::change, .voters = voters};
}

bool RaftJudge::finished(NodeIndex node, const Raft& machine) const {
  if (wanted_ == 0) return false;
  const bool counts = membership_.all().contains(node) && !machine.is_unreadable();
  return !counts || machine.applied() >= wanted_;
}

/// A torn record makes a node silent for ever; fewer than half of the voters may become so, and
/// none where voters change.
bool RaftJudge::may_tear(NodeIndex node) {
  if (change_percent_ != 0 || node >= voters_) return false;
  if (!torn_.contains(node) && 2 * (torn_.size() + 1) >= voters_) return false;
  torn_.insert(node);
  return true;
}

// --- the judge -------------------------------------------------------------------------------

void RaftJudge::sent(const Envelope<RaftMessage>& envelope) {
  using enum RaftMessage::Kind;
  const auto& message = envelope.message;
  // A pre-vote asks about a term that nobody has begun, and who refuses promises nothing.
  if (message.kind == pre_vote || message.kind == pre_vote_reply) return;
  if ((message.kind == vote_reply || message.kind == append_reply) && !message.accepted) return;
  auto& told = told_[static_cast<std::size_t>(envelope.from)];
  told.term = std::max(told.term, message.term);
  if (message.kind == vote) judge_vote(envelope.from, message.term, envelope.from);
  if (message.kind == vote_reply && message.accepted)
    judge_vote(envelope.from, message.term, envelope.to);
}

void RaftJudge::judge_vote(NodeIndex node, std::uint64_t term, NodeIndex candidate) {
  auto& told = told_[static_cast<std::size_t>(node)];
  if (told.vote_term == term && told.vote != candidate)
    fail("node " + std::to_string(node) + " votes twice in term " + std::to_string(term));
  if (term > told.vote_term) told.vote_term = term, told.vote = candidate;
}

void RaftJudge::recovered(NodeIndex node, const Raft& machine) {
  auto& told = told_[static_cast<std::size_t>(node)];
  if (machine.is_unreadable()) {
    told = {};  // it says no more
  } else if (machine.term() < told.term) {
    fail("node " + std::to_string(node) + " has told term " + std::to_string(told.term) +
         ", and comes back in " + std::to_string(machine.term()));
  }
}

void RaftJudge::landed(NodeIndex node, const RaftDurable& durable) {
  auto& log = disks_[static_cast<std::size_t>(node)];
  if (log == durable.log) return;
  log = durable.log;
  judge_matching(node);
}

/// Against all other disks.
void RaftJudge::judge_matching(NodeIndex node) {
  const auto& mine = disks_[static_cast<std::size_t>(node)];
  for (NodeIndex other = 0; other < nodes(); ++other) {
    if (other == node) continue;
    const auto& theirs = disks_[static_cast<std::size_t>(other)];
    const auto first = std::max(mine.first(), theirs.first());
    bool is_alike = false;
    for (auto i = std::min(mine.last(), theirs.last()); i >= first; --i) {
      is_alike = is_alike || mine.at(i).term == theirs.at(i).term;
      if (is_alike && mine.at(i) != theirs.at(i))
        fail("nodes " + std::to_string(node) + " and " + std::to_string(other) +
             " have different entries at " + std::to_string(i) + ", before one of the same term");
    }
  }
}

void RaftJudge::happened(NodeIndex node, const RaftEvent& event) {
  switch (event.kind) {
    case RaftEvent::Kind::leader:
      return judge_leader(node, event.term);
    case RaftEvent::Kind::committed:
    case RaftEvent::Kind::installed:
      return judge_applied(node, event);
    case RaftEvent::Kind::broken:
      return fail("node " + std::to_string(node) + " has seen what cannot be");
    case RaftEvent::Kind::follower:
      return;
  }
}

void RaftJudge::judge_leader(NodeIndex node, std::uint64_t term) {
  ++leaders_seen_;
  // One that is elected late need not have what a leader of a newer term has had applied.
  auto applied = applied_.size() - 1;
  while (applied > 0 && applied_[applied].newest_term >= term) --applied;
  const auto [election, is_new] = elections_.try_emplace(term, Election{node, applied, false});
  if (!is_new && election->second.leader != node)
    fail("two leaders of term " + std::to_string(term));
}

/// Once for each leader, at its first tick.
void RaftJudge::judge_completeness(NodeIndex node, const Raft& machine) {
  const auto found = elections_.find(machine.term());
  if (found == elections_.end() || found->second.is_checked || found->second.leader != node) return;
  found->second.is_checked = true;
  const auto index = found->second.applied;
  const auto& log = machine.log();
  const bool has_it = log.snapshot().index >= index || log.matches(index, applied_[index].term);
  if (!has_it)
    fail("leader " + std::to_string(node) + " of term " + std::to_string(machine.term()) +
         " lacks entry " + std::to_string(index) + ", which was applied");
}

void RaftJudge::judge_applied(NodeIndex node, const RaftEvent& event) {
  const auto index = event.index;
  if (index < applied_.size()) {
    if (applied_[index].digest != event.digest)
      fail("node " + std::to_string(node) + " applies another entry at or before " +
           std::to_string(index));
    return;
  }
  if (index != applied_.size())
    return fail("node " + std::to_string(node) + " takes a snapshot of what nobody has applied");
  ++entries_seen_;
  const auto newest_term = elections_.empty() ? 0 : elections_.rbegin()->first;
  applied_.push_back({event.digest, event.term, newest_term});
  const auto& entry = event.entry;
  judge_durability(index, event.term);
  if (entry.kind == RaftEntry::Kind::membership) {
    membership_ = entry.membership;
    if (!membership_.is_joint()) ++changes_seen_;
  }
  if (entry.kind == RaftEntry::Kind::command && entry.command[0] > marker) wanted_ = index;
}

/// In schedules without a change of voters: on a quorum of disks.
void RaftJudge::judge_durability(std::uint64_t index, std::uint64_t term) {
  if (has_changed_voters_) return;  // a change that is not committed yet may have decided
  RaftNodes holders;
  for (NodeIndex node = 0; node < nodes(); ++node) {
    const auto& log = disks_[static_cast<std::size_t>(node)];
    if (log.snapshot().index > index || log.matches(index, term)) holders.insert(node);
  }
  if (majority_verdict(config_.voters.bits(), holders.bits(), 0) != Verdict::won)
    fail("entry " + std::to_string(index) + " is applied and not durable on a quorum");
}

}  // namespace cairn::consensus
