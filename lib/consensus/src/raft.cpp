// Raft: roles, time, and what messages mean. The log and its replication stand in
// raft_replication.cpp.

#include "cairn/consensus/raft.hpp"

#include <algorithm>

#include "cairn/transport/draws.hpp"
#include "raft_push.hpp"

namespace cairn::consensus {

using Kind = RaftMessage::Kind;

Raft::Raft(const Config& config, NodeIndex self, const Recovered<Durable>& recovered) noexcept
    : config_(config),
      self_(self),
      durable_(recovered.durable),
      is_unreadable_(recovered.state == Recovered<Durable>::State::unreadable),
      random_(transport::mixed(config.seed + static_cast<std::uint64_t>(self))) {
  auto& log = durable_.log;
  if (recovered.state != Recovered<Durable>::State::valid) {
    durable_ = {};
    log.restart({.membership = {.voters = config.voters}});
  }
  if (is(Mutant::term_not_durable)) {
    durable_.term = log.last_term();
    durable_.vote.reset();
  }
  membership_ = log.membership_at(log.last());
  applied_ = log.snapshot();
  commit_ = applied_.index;
  durable_last_ = log.last();
  draw_timeout();
}

void Raft::draw_timeout() noexcept {
  const auto at_random = config_.election_ticks > 1 ? random() % config_.election_ticks : 0;
  timeout_ = static_cast<std::uint16_t>(config_.election_ticks + at_random);
}

std::uint64_t Raft::random() noexcept {
  random_ += 0x9e3779b97f4a7c15;
  return transport::mixed(random_) >> 16;
}

/// Who decides now.
JointQuorum Raft::quorum() const noexcept {
  const bool asks_both = !is(Mutant::one_majority_when_joint);
  return {membership_.voters.bits(), asks_both ? membership_.leaving.bits() : 0};
}

/// What has come of the vote.
Verdict Raft::verdict() const noexcept {
  if (is(Mutant::quorum_of_one) && !granted_.empty()) return Verdict::won;
  return quorum().verdict(granted_.bits(), refused_.bits());
}

/// Also a node that the newest membership leaves out, until it knows that to be final: its log may
/// be the only one that has it, and then nobody else can be elected.
bool Raft::may_campaign() const noexcept {
  const auto& log = durable_.log;
  auto voters = all_of(membership_.all(), applied_.membership.all());
  for (auto index = applied_.index + 1; index <= log.last(); ++index)
    voters |= log.at(index).membership.all();
  return !is_silent() && voters.contains(self_);
}

// --- roles -----------------------------------------------------------------------------------

void Raft::follow(std::uint64_t term, std::optional<NodeIndex> leader, Output& out) noexcept {
  if (term != durable_.term) {
    durable_.term = term;
    durable_.vote.reset();
    changed();
  }
  if (role_ == Role::leader)
    push_to(out.events, {.kind = RaftEvent::Kind::follower, .term = durable_.term});
  role_ = Role::follower;
  leader_ = leader;
  heir_.reset();
  election_elapsed_ = 0;
  draw_timeout();
}

void Raft::begin_pre_vote(Output& out) noexcept {
  follow(durable_.term, std::nullopt, out);
  role_ = Role::pre_candidate;
  granted_ = refused_ = {};
  granted_.insert(self_);
  if (verdict() == Verdict::won) return campaign(false, out);
  const auto& log = durable_.log;
  for (NodeIndex node = 0; node < raft_nodes_max; ++node) {
    if (node == self_ || !membership_.all().contains(node)) continue;
    send(node,
         {.kind = Kind::pre_vote,
          .term = durable_.term + 1,
          .index = log.last(),
          .log_term = log.last_term()},
         out);
  }
}

void Raft::campaign(bool forced, Output& out) noexcept {
  follow(durable_.term + 1, std::nullopt, out);
  role_ = Role::candidate;
  durable_.vote = self_;
  granted_ = refused_ = {};  // its own vote counts when it is durable
  const auto& log = durable_.log;
  for (NodeIndex node = 0; node < raft_nodes_max; ++node) {
    if (node == self_ || !membership_.all().contains(node)) continue;
    reply(node,
          {.kind = Kind::vote,
           .forced = forced,
           .term = durable_.term,
           .index = log.last(),
           .log_term = log.last_term()},
          is(Mutant::vote_before_persist), out);
  }
  if (is(Mutant::vote_before_persist)) granted_.insert(self_);
}

void Raft::lead(Output& out) noexcept {
  role_ = Role::leader;
  leader_ = self_;
  active_ = {};
  heir_.reset();
  election_elapsed_ = heartbeat_elapsed_ = 0;
  progress_.fill({.match = 0, .next = durable_.log.last() + 1});
  push_to(out.events, {.kind = RaftEvent::Kind::leader, .term = durable_.term});
  // An entry of its own term, without which it could commit nothing.
  if (!push({.term = durable_.term})) return follow(durable_.term, std::nullopt, out);
  send_to_all(out);
}

// --- time ------------------------------------------------------------------------------------

void Raft::tick(Output& out) noexcept {
  if (is_silent()) return;
  ++election_elapsed_;
  if (role_ == Role::leader) {
    tick_leader(out);
  } else if (election_elapsed_ >= timeout_ && may_campaign()) {
    begin_pre_vote(out);
  }
  tell_committed(out);
  finish(out);
}

void Raft::tick_leader(Output& out) noexcept {
  if (election_elapsed_ >= config_.election_ticks) {
    election_elapsed_ = 0;
    heir_.reset();
    active_.insert(self_);
    if (quorum().verdict(active_.bits(), 0) != Verdict::won)
      return follow(durable_.term, std::nullopt, out);
    active_ = {};
  }
  if (++heartbeat_elapsed_ < config_.heartbeat_ticks) return;
  heartbeat_elapsed_ = 0;
  leave_joint(out);
  send_to_all(out);
}

// --- messages --------------------------------------------------------------------------------

void Raft::step(const Envelope<Message>& envelope, Output& out) noexcept {
  const auto from = envelope.from;
  const auto& message = envelope.message;
  if (is_silent() || from < 0 || from >= raft_nodes_max) return;
  if (!is_of_another_term(from, message, out)) {
    switch (message.kind) {
      case Kind::pre_vote:
      case Kind::vote:
        on_vote(from, message, out);
        break;
      case Kind::pre_vote_reply:
      case Kind::vote_reply:
        on_vote_reply(from, message, out);
        break;
      case Kind::append:
        on_append(from, message, out);
        break;
      case Kind::snapshot:
        on_snapshot(from, message, out);
        break;
      case Kind::append_reply:
        on_append_reply(from, message, out);
        break;
      case Kind::timeout_now:
        if (may_campaign() && role_ != Role::leader) campaign(true, out);
        break;
    }
  }
  tell_committed(out);
  finish(out);
}

/// Takes over a newer term, answers an older one. True when the message has been dealt with.
bool Raft::is_of_another_term(NodeIndex from, const RaftMessage& message, Output& out) noexcept {
  const bool asks_for_vote = message.kind == Kind::vote || message.kind == Kind::pre_vote;
  // While there is a leader nobody disturbs it.
  if (asks_for_vote && !message.forced && leader_ && election_elapsed_ < config_.election_ticks)
    return true;
  if (message.term > durable_.term) {
    const bool is_of_pre_vote = message.kind == Kind::pre_vote ||
                                (message.kind == Kind::pre_vote_reply && message.accepted);
    if (is_of_pre_vote) return false;
    const bool is_from_leader = message.kind == Kind::append || message.kind == Kind::snapshot;
    follow(message.term, is_from_leader ? std::optional(from) : std::nullopt, out);
    return false;
  }
  if (message.term == durable_.term) return false;
  // A node that comes back with an older term: it learns the new one.
  if (message.kind == Kind::append || message.kind == Kind::snapshot)
    send(from, {.kind = Kind::append_reply, .term = durable_.term}, out);
  if (asks_for_vote) send(from, {.kind = Kind::vote_reply, .term = durable_.term}, out);
  return true;
}

void Raft::on_vote(NodeIndex from, const RaftMessage& message, Output& out) noexcept {
  const auto& log = durable_.log;
  const bool is_up_to_date = message.log_term > log.last_term() ||
                             (message.log_term == log.last_term() && message.index >= log.last()) ||
                             is(Mutant::vote_without_log_check);
  if (message.kind == Kind::pre_vote) {
    // Of the same term too: a candidate that is behind learns the term from the refusal.
    const bool accepted = is_up_to_date && message.term > durable_.term;
    send(from,
         {.kind = Kind::pre_vote_reply,
          .accepted = accepted,
          .term = accepted ? message.term : durable_.term},
         out);
    return;
  }
  const bool is_free = !durable_.vote || *durable_.vote == from || is(Mutant::vote_twice);
  const bool accepted = is_up_to_date && is_free && !leader_;
  if (accepted && durable_.vote != from) {
    durable_.vote = from;
    changed();
  }
  if (accepted) election_elapsed_ = 0;
  reply(from, {.kind = Kind::vote_reply, .accepted = accepted, .term = durable_.term},
        is(Mutant::vote_before_persist), out);
}

void Raft::on_vote_reply(NodeIndex from, const RaftMessage& message, Output& out) noexcept {
  const bool is_pre = message.kind == Kind::pre_vote_reply;
  if (role_ != (is_pre ? Role::pre_candidate : Role::candidate)) return;
  if (is_pre && message.accepted && message.term != durable_.term + 1) return;
  (message.accepted ? granted_ : refused_).insert(from);
  const auto now = verdict();
  if (now == Verdict::won) is_pre ? campaign(false, out) : lead(out);
  if (now == Verdict::lost) follow(durable_.term, std::nullopt, out);
}

void Raft::on_append(NodeIndex from, const RaftMessage& message, Output& out) noexcept {
  if (role_ == Role::leader) return break_off(out);
  if (role_ != Role::follower) follow(durable_.term, from, out);
  leader_ = from;
  election_elapsed_ = 0;
  auto& log = durable_.log;
  RaftMessage answer{.kind = Kind::append_reply, .accepted = true, .term = durable_.term};
  const bool early = is(Mutant::append_before_persist);

  if (message.index < commit_ && !is(Mutant::append_without_check)) {
    answer.index = commit_;  // has all that
    return reply(from, answer, early, out);
  }
  const bool fits = log.matches(message.index, message.log_term) ||
                    (is(Mutant::append_without_check) && message.index <= log.last() &&
                     message.index >= log.snapshot().index);
  if (!fits) {
    answer.accepted = false;
    answer.index = std::min(message.index - std::min<std::uint64_t>(message.index, 1), log.last());
    while (answer.index > commit_ && log.term_at(answer.index) > message.log_term) --answer.index;
    return reply(from, answer, early, out);
  }
  auto at = message.index;
  for (const auto& entry : message.entries) {
    ++at;
    if (log.has(at) && (log.term_at(at) == entry.term || is(Mutant::keep_conflicting))) continue;
    if (log.has(at)) {
      if (at <= commit_) return break_off(out);
      truncate_behind(at - 1);
    }
    if (!push(entry)) {
      --at;
      break;
    }
  }
  commit_ = std::max(commit_, std::min(message.commit, at));
  answer.index = at;
  reply(from, answer, early, out);
}

void Raft::on_snapshot(NodeIndex from, const RaftMessage& message, Output& out) noexcept {
  if (role_ == Role::leader) return break_off(out);
  if (role_ != Role::follower) follow(durable_.term, from, out);
  leader_ = from;
  election_elapsed_ = 0;
  auto& log = durable_.log;
  if (log.matches(message.snapshot.index, message.snapshot.term)) {
    // An old message: what stands behind may have been acknowledged, and stays.
    commit_ = std::max(commit_, message.snapshot.index);
  } else if (message.snapshot.index > commit_) {
    log.restart(message.snapshot);
    durable_last_ = std::min(durable_last_, message.snapshot.index);
    for (std::size_t i = 0; i < writing_.size(); ++i)
      writing_[i].last = std::min(writing_[i].last, message.snapshot.index);
    membership_ = message.snapshot.membership;
    applied_ = message.snapshot;
    commit_ = applied_.index;
    changed();
    push_to(out.events, {.kind = RaftEvent::Kind::installed,
                         .index = applied_.index,
                         .term = applied_.term,
                         .digest = applied_.digest});
  }
  reply(from,
        {.kind = Kind::append_reply, .accepted = true, .term = durable_.term, .index = commit_},
        is(Mutant::append_before_persist), out);
}

void Raft::on_append_reply(NodeIndex from, const RaftMessage& message, Output& out) noexcept {
  if (role_ != Role::leader) return;
  active_.insert(from);
  auto& progress = progress_[static_cast<std::size_t>(from)];
  if (!message.accepted) {
    if (message.index < progress.match) return;  // an old refusal
    progress.next = std::max(progress.match + 1, std::min(message.index + 1, progress.next - 1));
    return send_entries(from, out);
  }
  progress.match = std::max(progress.match, message.index);
  progress.next = std::max(progress.next, progress.match + 1);
  const auto before = commit_;
  advance_commit(out);
  if (role_ != Role::leader) return;
  if (commit_ != before) {
    send_to_all(out);
  } else if (progress.next <= durable_.log.last()) {
    send_entries(from, out);
  }
  hand_over(out);
}

}  // namespace cairn::consensus
