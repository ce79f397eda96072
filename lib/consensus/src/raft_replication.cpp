// Raft: the log, what is final in it, what the program asks for, and what must be durable.

#include <algorithm>
#include <array>

#include "cairn/consensus/raft.hpp"
#include "raft_push.hpp"

namespace cairn::consensus {

namespace {

/// A command is refused when fewer places are left: every new leader needs one.
constexpr std::size_t reserve = raft_log_capacity / 2;
/// Entries that are applied are compacted when the log is so long.
constexpr std::size_t compact_from = raft_log_capacity / 2;

using Kind = RaftMessage::Kind;

}  // namespace

// --- the log ---------------------------------------------------------------------------------

bool Raft::push(const RaftEntry& entry) noexcept {
  if (!durable_.log.push(entry)) return false;
  if (entry.kind == RaftEntry::Kind::membership) membership_ = entry.membership;
  changed();
  return true;
}

void Raft::truncate_behind(std::uint64_t index) noexcept {
  durable_.log.truncate_behind(index);
  membership_ = durable_.log.membership_at(index);
  durable_last_ = std::min(durable_last_, index);
  for (std::size_t i = 0; i < writing_.size(); ++i)
    writing_[i].last = std::min(writing_[i].last, index);
  changed();
}

void Raft::send_entries(NodeIndex to, Output& out) noexcept {
  const auto& log = durable_.log;
  auto& progress = progress_[static_cast<std::size_t>(to)];
  if (progress.next < log.first()) {
    send(to, {.kind = Kind::snapshot, .term = durable_.term, .snapshot = log.snapshot()}, out);
    progress.next = log.first();
    return;
  }
  RaftMessage message{.kind = Kind::append,
                      .term = durable_.term,
                      .index = progress.next - 1,
                      .log_term = log.term_at(progress.next - 1),
                      .commit = commit_};
  while (progress.next <= log.last() && !message.entries.full())
    message.entries.push_back(log.at(progress.next++));
  send(to, message, out);
}

void Raft::send_to_all(Output& out) noexcept {
  for (NodeIndex node = 0; node < raft_nodes_max; ++node)
    if (node != self_ && membership_.all().contains(node)) send_entries(node, out);
}

void Raft::hand_over(Output& out) noexcept {
  if (!heir_ || progress_[static_cast<std::size_t>(*heir_)].match != durable_.log.last()) return;
  send(*heir_, {.kind = Kind::timeout_now, .term = durable_.term}, out);
}

/// Whatever stands on a quorum is final, if it is of this term: an entry of an older one may still
/// be replaced by a leader that never saw it (figure 8 of the paper).
void Raft::advance_commit(Output& out) noexcept {
  const auto& log = durable_.log;
  std::array<std::uint64_t, raft_nodes_max> reached{};
  for (std::size_t node = 0; node < reached.size(); ++node) reached[node] = progress_[node].match;
  reached[static_cast<std::size_t>(self_)] =
      is(Mutant::leader_counts_unwritten) ? log.last() : durable_last_;
  const auto index = is(Mutant::quorum_of_one) ? *std::max_element(reached.begin(), reached.end())
                                               : quorum().reached(reached);
  if (index > commit_ && (log.term_at(index) == durable_.term || is(Mutant::commit_older_terms)))
    commit_ = index;
  tell_committed(out);
}

/// Tells the program what is final, as far as there is room for it.
void Raft::tell_committed(Output& out) noexcept {
  while (applied_.index < commit_ && out.events.size() + 2 < out.events.capacity()) {
    const auto index = applied_.index + 1;
    const auto entry = durable_.log.at(index);
    applied_.index = index;
    applied_.term = entry.term;
    applied_.digest = raft_digest(applied_.digest, entry);
    if (entry.kind == RaftEntry::Kind::membership) applied_.membership = entry.membership;
    push_to(out.events, {.kind = RaftEvent::Kind::committed,
                         .index = index,
                         .term = entry.term,
                         .digest = applied_.digest,
                         .entry = entry});
    if (entry.kind == RaftEntry::Kind::membership) on_membership_committed(entry.membership, out);
  }
  compact();
}

void Raft::on_membership_committed(const RaftMembership& membership, Output& out) noexcept {
  if (role_ != Role::leader || membership != membership_) return;
  if (membership.is_joint()) {
    leave_joint(out);
  } else if (!membership.voters.contains(self_)) {
    send_to_all(out);  // that it is final
    follow(durable_.term, std::nullopt, out);
  }
}

/// The second half of a change, once both sets have agreed to the first: also by a leader that came
/// in between, and later when there is no room now.
void Raft::leave_joint(Output& out) noexcept {
  if (!membership_.is_joint() || applied_.membership != membership_) return;
  const bool fits = push({.term = durable_.term,
                          .kind = RaftEntry::Kind::membership,
                          .membership = {.voters = membership_.voters}});
  if (fits) send_to_all(out);
}

void Raft::break_off(Output& out) noexcept {
  is_broken_ = true;
  role_ = Role::follower;
  leader_.reset();
  push_to(out.events, {.kind = RaftEvent::Kind::broken, .term = durable_.term});
}

void Raft::compact() noexcept {
  if (durable_.log.size() < compact_from || applied_.index == durable_.log.snapshot().index) return;
  durable_.log.compact(applied_);
  changed();
}

// --- what the program asks for ---------------------------------------------------------------

void Raft::propose(const RaftRequest& request, Output& out) noexcept {
  switch (request.kind) {
    case RaftRequest::Kind::command:
      (void)append(request.command, out);
      break;
    case RaftRequest::Kind::change:
      (void)change(request.voters, out);
      break;
    case RaftRequest::Kind::transfer:
      (void)transfer(request.heir, out);
      break;
  }
}

std::optional<std::uint64_t> Raft::append(const RaftCommand& command, Output& out) noexcept {
  if (role_ != Role::leader || heir_ || durable_.log.room() <= reserve) return std::nullopt;
  push({.term = durable_.term, .kind = RaftEntry::Kind::command, .command = command});
  const auto index = durable_.log.last();
  send_to_all(out);
  finish(out);
  return index;
}

bool Raft::change(RaftNodes voters, Output& out) noexcept {
  const bool is_under_way = membership_.is_joint() || applied_.membership != membership_;
  if (role_ != Role::leader || heir_ || is_under_way || voters.empty() ||
      durable_.log.room() <= reserve)
    return false;
  push({.term = durable_.term,
        .kind = RaftEntry::Kind::membership,
        .membership = {.voters = voters, .leaving = membership_.voters}});
  for (NodeIndex node = 0; node < raft_nodes_max; ++node)
    if (!membership_.leaving.contains(node))
      progress_[static_cast<std::size_t>(node)] = {.match = 0, .next = durable_.log.last()};
  send_to_all(out);
  finish(out);
  return true;
}

bool Raft::transfer(NodeIndex to, Output& out) noexcept {
  if (role_ != Role::leader || to == self_ || to >= raft_nodes_max ||
      !membership_.voters.contains(to))
    return false;
  heir_ = to;
  election_elapsed_ = 0;
  send_entries(to, out);
  hand_over(out);
  finish(out);
  return true;
}

// --- durability ------------------------------------------------------------------------------

void Raft::send(NodeIndex to, const RaftMessage& message, Output& out) const noexcept {
  push_to(out.now, {self_, to, message});
}

/// A message that promises something: it leaves when all that this node holds now is durable.
void Raft::reply(NodeIndex to, const RaftMessage& message, bool early, Output& out) noexcept {
  const bool is_durable = !has_changed_ && persisted_ == token_;
  if (early || is_durable) return send(to, message, out);
  changed();  // what is on its way is written again, so that one token covers it all
  push_to(out.after_persist, {self_, to, message});
}

/// Ends a call: what has changed gets a token.
void Raft::finish(Output& out) noexcept {
  if (!has_changed_) return;
  has_changed_ = false;
  ++token_;
  out.persist = durable_;
  out.token = token_;
  const Written written{token_, durable_.log.last()};
  if (writing_.full()) {
    writing_[writing_.size() - 1] = written;  // the older token tells less, later
  } else {
    writing_.push_back(written);
  }
}

void Raft::persisted(PersistToken token, Output& out) noexcept {
  if (is_silent() || token <= persisted_ || token > token_) return;
  persisted_ = token;
  std::size_t done = 0;
  while (done < writing_.size() && writing_[done].token <= token) {
    durable_last_ = std::max(durable_last_, writing_[done].last);
    ++done;
  }
  std::copy(writing_.begin() + done, writing_.end(), writing_.begin());
  writing_.shrink(writing_.size() - done);
  if (role_ == Role::candidate && token == token_) {
    granted_.insert(self_);
    if (verdict() == Verdict::won) lead(out);
  }
  if (role_ == Role::leader) {
    const auto before = commit_;
    advance_commit(out);
    if (role_ == Role::leader && commit_ != before) send_to_all(out);
  }
  tell_committed(out);
  finish(out);
}

std::uint64_t Raft::hash() const noexcept {
  Hasher hasher;
  const auto add = [&](auto... values) { (hasher.add(values), ...); };
  add(durable_.term, durable_.vote.value_or(-1));
  const auto& log = durable_.log;
  for (const auto& snapshot : {log.snapshot(), applied_})
    add(snapshot.index, snapshot.term, snapshot.digest);
  for (auto index = log.first(); index <= log.last(); ++index) add(raft_digest(0, log.at(index)));
  add(role_, leader_.value_or(-1), heir_.value_or(-1), is_unreadable_, is_broken_, commit_);
  add(election_elapsed_, heartbeat_elapsed_, timeout_, random_);
  for (const auto& nodes : {granted_, refused_, active_}) nodes.add_to(hasher);
  for (const auto& progress : progress_) add(progress.match, progress.next);
  add(token_, persisted_, durable_last_);
  for (const auto& written : writing_) add(written.token, written.last);
  return hasher.value();
}

}  // namespace cairn::consensus
