#include "cairn/consensus/commit.hpp"

#include <algorithm>
#include <cassert>

#include "cairn/consensus/quorum.hpp"

namespace cairn::consensus {

template <int capacity, typename Mutation>
BasicCommitMachine<capacity, Mutation>::BasicCommitMachine(const Config& config, NodeIndex self,
                                                           const Recovered<Durable>& recovered)
    : config_(config), self_(self), acceptor_(acceptor_number(self)) {
  using State = typename Recovered<Durable>::State;
  if (recovered.state == State::valid) state_ = recovered.durable;
  if (recovered.state == State::unreadable) state_.abstains = true;
  if (acceptor_ == 0 && state_.promised == 0) phase_ = Phase::votes;
  retry_in_ = config_.retry_ticks;
  takeover_in_ = config_.takeover_ticks * static_cast<std::uint32_t>(acceptor_ + 1);
  patience_ = config_.takeover_ticks;
}

template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::propose(const Command& command, Output& out) noexcept {
  if (fenced_ || state_.abstains || !is_participant() || command.vote == Vote::none ||
      state_.vote != Vote::none || state_.decision != Decision::none)
    return;
  state_.vote = command.vote;
  persist(out);
  send_vote(std::min(quorum(), acceptors()), out);
}

template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::step(const Envelope<Message>& envelope,
                                                  Output& out) noexcept {
  const auto& message = envelope.message;
  if (fenced_) return;
  if (message.id != config_.id) return fence(message.id.incarnation, out);
  if (state_.decision != Decision::none) {
    if (message.kind == CommitKind::decide) return;
    auto answer = this->message(CommitKind::decide, 0);
    answer.decision = state_.decision;
    answer.prepared = state_.committing;
    return send_now(envelope.from, answer, out);
  }
  if (message.kind == CommitKind::decide) return learn(message.decision, message.prepared, out);
  if (acceptor_ < 0 || state_.abstains) return;
  const int sender = acceptor_number(envelope.from);
  switch (message.kind) {
    case CommitKind::vote:
      return receive_vote(envelope.from, message, out);
    case CommitKind::prepare:
      return receive_prepare(envelope.from, message, out);
    case CommitKind::promise:
      return receive_promise(sender, message, out);
    case CommitKind::accept:
      return receive_accept(envelope.from, message, out);
    case CommitKind::accepted:
      return receive_accepted(sender, message, out);
    case CommitKind::refuse:
      return receive_refusal(message);
    case CommitKind::decide:
    case CommitKind::ask:
      return;
  }
}

template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::tick(Output& out) noexcept {
  if (fenced_ || state_.decision != Decision::none) return;
  if (config_.mutation.is(Mutant::unilateral_abort) && state_.vote == Vote::prepared &&
      --patience_ == 0)
    return learn(Decision::aborted, {}, out);
  if (retry_in_ > 1) {
    --retry_in_;
  } else {
    retry_in_ = config_.retry_ticks;
    repeat(out);
  }
  if (acceptor_ < 0 || state_.abstains) return;
  if (takeover_in_ > 0) --takeover_in_;
  if (takeover_in_ == 0) take_over(out);
}

template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::persisted(PersistToken token, Output& out) noexcept {
  const bool was_durable = is_decision_durable();
  durable_token_ = std::max(durable_token_, token);
  if (was_durable || !is_decision_durable()) return;
  const bool committed = state_.decision == Decision::committed;
  Event event{committed ? Event::Kind::committed : Event::Kind::aborted, config_.id.incarnation,
              NodeSet<capacity>::first(config_.participants).without(state_.committing)};
  if (committed) event.culprits = {};
  out.events.push_back(event);
}

template <int capacity, typename Mutation>
std::uint64_t BasicCommitMachine<capacity, Mutation>::hash() const noexcept {
  Hasher hasher;
  const auto add_set = [&](const NodeSet<capacity>& set) { set.add_to(hasher); };
  hasher.add(self_);
  hasher.add(state_.vote);
  hasher.add(state_.decision);
  hasher.add(state_.abstains);
  hasher.add(state_.promised);
  hasher.add(state_.accepted_ballot);
  add_set(state_.voted);
  add_set(state_.prepared);
  add_set(state_.committing);
  hasher.add(token_);
  hasher.add(durable_token_);
  hasher.add(decision_token_);
  hasher.add(fenced_);
  hasher.add(phase_);
  hasher.add(ballot_);
  hasher.add(seen_);
  hasher.add(heard_);
  for (int k = 0; k < acceptors(); ++k) {
    hasher.add(reports_[k].ballot);
    add_set(reports_[k].voted);
    add_set(reports_[k].prepared);
  }
  add_set(proposal_);
  hasher.add(attempts_);
  hasher.add(retry_in_);
  hasher.add(takeover_in_);
  hasher.add(patience_);
  return hasher.value();
}

// --- acceptor ------------------------------------------------------------------------------------

/// A vote is accepted in memory; it counts when it is durable, which happens once for all of them.
template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::receive_vote(NodeIndex from, const Message& vote,
                                                          Output& out) noexcept {
  if (from < 0 || from >= config_.participants) return;
  if (state_.promised > 0 && !config_.mutation.is(Mutant::no_promise_check)) return;
  const bool is_new = !state_.voted.contains(from);
  if (is_new) {
    state_.voted.insert(from);
    if (vote.prepared.contains(from)) state_.prepared.insert(from);
  }
  if (!is_ready_to_accept()) return;
  if (is_new) persist(out);
  auto answer = message(CommitKind::accepted, 0);
  answer.voted = state_.voted;
  answer.prepared = state_.prepared;
  send_durable(config_.acceptors[0], answer, Mutant::accept_before_persist, out);
}

/// One answer for all: when nothing can be added that would change the outcome.
template <int capacity, typename Mutation>
bool BasicCommitMachine<capacity, Mutation>::is_ready_to_accept() const noexcept {
  if (config_.mutation.is(Mutant::majority_of_votes))
    return state_.voted.size() >= majority(config_.participants);
  return state_.voted.size() == config_.participants ||
         !state_.voted.without(state_.prepared).empty();
}

template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::receive_prepare(NodeIndex from, const Message& prepare,
                                                             Output& out) noexcept {
  if (prepare.ballot < state_.promised)
    return send_now(from, message(CommitKind::refuse, state_.promised), out);
  if (prepare.ballot > state_.promised) {
    state_.promised = prepare.ballot;
    persist(out);
  }
  auto answer = message(CommitKind::promise, prepare.ballot);
  if (!config_.mutation.is(Mutant::forget_accepted)) {
    answer.accepted_ballot = state_.accepted_ballot;
    answer.voted = state_.voted;
    answer.prepared = state_.prepared;
  }
  send_durable(from, answer, Mutant::promise_before_persist, out);
}

template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::receive_accept(NodeIndex from, const Message& accept,
                                                            Output& out) noexcept {
  if (accept.ballot < state_.promised && !config_.mutation.is(Mutant::no_promise_check))
    return send_now(from, message(CommitKind::refuse, state_.promised), out);
  if (accept.ballot != state_.accepted_ballot) {
    state_.promised = std::max(state_.promised, accept.ballot);
    state_.accepted_ballot = accept.ballot;
    state_.voted = NodeSet<capacity>::first(config_.participants);
    state_.prepared = accept.prepared;
    persist(out);
  }
  send_durable(from, message(CommitKind::accepted, accept.ballot), Mutant::accept_before_persist,
               out);
}

// --- leader --------------------------------------------------------------------------------------

/// Opens a ballot above all that were seen. That it is never used again is durable before it is.
template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::take_over(Output& out) noexcept {
  const auto count = static_cast<Ballot>(acceptors());
  const auto mine = static_cast<Ballot>(acceptor_) + 1;
  const auto above = std::max(state_.promised, seen_);
  auto ballot = above / count * count + mine;
  if (ballot <= above) ballot += count;
  if (config_.mutation.is(Mutant::ballot_not_durable)) ballot = attempts_ * count + mine;
  if (ballot > config_.ballot_max) return;
  attempts_ = std::min(attempts_ + 1, 16U);
  takeover_in_ = config_.takeover_ticks * mine * attempts_;

  ballot_ = ballot;
  phase_ = Phase::promises;
  heard_ = 0;
  reports_ = {};
  const auto prepare = message(CommitKind::prepare, ballot);
  if (!config_.mutation.is(Mutant::ballot_not_durable)) {
    state_.promised = ballot;
    persist(out);
  }
  for (const auto to : config_.acceptors)
    send_durable(to, prepare, Mutant::ballot_not_durable, out);
}

template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::receive_promise(int acceptor, const Message& promise,
                                                             Output& out) noexcept {
  if (acceptor < 0 || phase_ != Phase::promises || promise.ballot != ballot_) return;
  reports_[acceptor] = {promise.accepted_ballot, promise.voted, promise.prepared};
  heard_ |= 1U << acceptor;
  if (std::popcount(heard_) < quorum()) return;
  choose_from_promises();
  phase_ = Phase::accepts;
  heard_ = 0;
  auto accept = message(CommitKind::accept, ballot_);
  accept.prepared = proposal_;
  for (const auto to : config_.acceptors) send_now(to, accept, out);
}

/// The value of each instance at the highest ballot in a quorum; aborted where there is none. Above
/// ballot 0 an acceptor has accepted all instances together, and at ballot 0 there is one vote.
template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::choose_from_promises() noexcept {
  bool found = false;
  Ballot best = 0;
  const bool lowest = config_.mutation.is(Mutant::lowest_ballot);
  for (int k = 0; k < acceptors(); ++k) {
    if ((heard_ >> k & 1) == 0 || reports_[k].voted.empty()) continue;
    const auto ballot = reports_[k].ballot;
    if (!found || (lowest ? ballot < best : ballot > best)) best = ballot;
    found = true;
  }
  proposal_ = {};
  for (int k = 0; k < acceptors(); ++k)
    if ((heard_ >> k & 1) != 0 && reports_[k].ballot == best) proposal_ |= reports_[k].prepared;
}

template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::receive_accepted(int acceptor, const Message& accepted,
                                                              Output& out) noexcept {
  if (acceptor < 0 || accepted.ballot != ballot_) return;
  if (phase_ == Phase::votes) {
    // What an acceptor has accepted at ballot 0 it never unaccepts, so an older word adds.
    reports_[acceptor].voted |= accepted.voted;
    reports_[acceptor].prepared |= accepted.prepared;
    return count_votes(out);
  }
  if (phase_ != Phase::accepts) return;
  heard_ |= 1U << acceptor;
  if (std::popcount(heard_) < quorum()) return;
  const bool all = proposal_ == NodeSet<capacity>::first(config_.participants);
  const bool most = config_.mutation.is(Mutant::majority_of_votes) &&
                    proposal_.size() >= majority(config_.participants);
  decide(all || most ? Decision::committed : Decision::aborted, out);
}

/// Which instances has a quorum accepted at ballot 0?
template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::count_votes(Output& out) noexcept {
  proposal_ = {};
  bool refused = false;
  for (NodeIndex node = 0; node < config_.participants; ++node) {
    int prepared = 0;
    int aborted = 0;
    for (int k = 0; k < acceptors(); ++k) {
      if (!reports_[k].voted.contains(node)) continue;
      ++(reports_[k].prepared.contains(node) ? prepared : aborted);
    }
    if (prepared >= quorum()) proposal_.insert(node);
    if (aborted >= quorum()) refused = true;
  }
  const bool most = config_.mutation.is(Mutant::majority_of_votes) &&
                    proposal_.size() >= majority(config_.participants);
  if (most || proposal_.size() == config_.participants)
    decide(Decision::committed, out);
  else if (refused)
    decide(Decision::aborted, out);
}

template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::receive_refusal(const Message& refusal) noexcept {
  seen_ = std::max(seen_, refusal.ballot);
  if (ballot_ > 0 && refusal.ballot > ballot_) phase_ = Phase::idle;
}

template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::decide(Decision decision, Output& out) noexcept {
  learn(decision, proposal_, out);
  auto news = message(CommitKind::decide, ballot_);
  news.decision = decision;
  news.prepared = proposal_;
  for (NodeIndex to = 0; to < config_.participants; ++to) send_now(to, news, out);
}

// --- every node ----------------------------------------------------------------------------------

template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::learn(Decision decision,
                                                   const NodeSet<capacity>& prepared,
                                                   Output& out) noexcept {
  state_.decision = decision;
  state_.committing = prepared;
  phase_ = Phase::idle;
  persist(out);
  decision_token_ = token_;
}

/// Nobody has said how it ended: tell one's vote to all acceptors, or just ask.
template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::repeat(Output& out) noexcept {
  if (state_.vote != Vote::none && !state_.abstains) return send_vote(acceptors(), out);
  for (const auto to : config_.acceptors)
    if (to != self_) send_now(to, message(CommitKind::ask, 0), out);
}

template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::send_vote(int acceptors, Output& out) noexcept {
  auto vote = message(CommitKind::vote, 0);
  if (state_.vote == Vote::prepared) vote.prepared.insert(self_);
  for (int k = 0; k < acceptors; ++k)
    send_durable(config_.acceptors[k], vote, Mutant::vote_before_persist, out);
}

template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::fence(std::uint64_t incarnation,
                                                   Output& out) noexcept {
  if (incarnation <= config_.id.incarnation) return;
  fenced_ = true;
  out.events.push_back({Event::Kind::fenced, incarnation, {}});
}

template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::persist(Output& out) noexcept {
  if (!out.persist) ++token_;
  out.persist = state_;
  out.token = token_;
}

template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::send_now(NodeIndex to, const Message& message,
                                                      Output& out) const noexcept {
  out.now.push_back({self_, to, message});
}

/// Sends when all that this node has written is durable, unless it is the `hasty` mutant.
template <int capacity, typename Mutation>
void BasicCommitMachine<capacity, Mutation>::send_durable(NodeIndex to, const Message& message,
                                                          [[maybe_unused]] Mutant hasty,
                                                          Output& out) const noexcept {
  if (config_.mutation.is(hasty)) return send_now(to, message, out);
  out.token = token_;
  out.after_persist.push_back({self_, to, message});
}

template <int capacity, typename Mutation>
CommitMessage<capacity> BasicCommitMachine<capacity, Mutation>::message(
    CommitKind kind, Ballot ballot) const noexcept {
  Message message;
  message.kind = kind;
  message.ballot = ballot;
  message.id = config_.id;
  return message;
}

template <int capacity, typename Mutation>
int BasicCommitMachine<capacity, Mutation>::acceptor_number(NodeIndex node) const noexcept {
  for (int k = 0; k < acceptors(); ++k)
    if (config_.acceptors[k] == node) return k;
  return -1;
}

template <int capacity, typename Mutation>
int BasicCommitMachine<capacity, Mutation>::quorum() const noexcept {
  return config_.mutation.is(Mutant::quorum_of_one) ? 1 : majority(acceptors());
}

template class BasicCommitMachine<64, Faithful>;
template class BasicCommitMachine<64, Mutated>;
template class BasicCommitMachine<1024, Faithful>;

static_assert(Machine<CommitMachine> && Machine<MutatedCommitMachine> &&
              Machine<WideCommitMachine>);

}  // namespace cairn::consensus
