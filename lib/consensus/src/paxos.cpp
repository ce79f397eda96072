#include "cairn/consensus/paxos.hpp"

#include <algorithm>
#include <bit>

#include "cairn/core/error.hpp"

namespace cairn::consensus {

template <typename Mutation>
BasicPaxosMachine<Mutation>::BasicPaxosMachine(const Config& config, NodeIndex self,
                                               const Recovered<Durable>& recovered)
    : config_(config), self_(self), acceptor_(acceptor_number(self)) {
  using State = typename Recovered<Durable>::State;
  if (recovered.state == State::valid) state_ = recovered.durable;
  if (recovered.state == State::unreadable) state_.abstains = true;
  retry_in_ = config_.retry_ticks;
}

/// Opens a ballot at once. A node whose record was unreadable does not know which ballots it has
/// used, so it proposes nothing.
template <typename Mutation>
void BasicPaxosMachine<Mutation>::propose(const Command& command, Output& out) noexcept {
  if (state_.abstains || state_.chosen != 0 || wanted_ != 0 || command.value == 0) return;
  wanted_ = command.value;
  open_ballot(out);
}

template <typename Mutation>
void BasicPaxosMachine<Mutation>::step(const Envelope<Message>& envelope, Output& out) noexcept {
  const auto& message = envelope.message;
  if (state_.chosen != 0) {
    if (message.kind != PaxosKind::learn)
      send_now(envelope.from, {PaxosKind::learn, 0, 0, state_.chosen}, out);
    return;
  }
  const int sender = acceptor_number(envelope.from);
  switch (message.kind) {
    case PaxosKind::prepare:
      return receive_prepare(envelope.from, message, out);
    case PaxosKind::promise:
      return receive_promise(sender, message, out);
    case PaxosKind::accept:
      return receive_accept(envelope.from, message, out);
    case PaxosKind::accepted:
      receive_accepted(sender, message, out);
      return hear_accepted(sender, message, out);
    case PaxosKind::refuse:
      seen_ = std::max(seen_, message.ballot);
      if (message.ballot > ballot_) phase_ = Phase::idle;
      return;
    case PaxosKind::learn:
      return learn(message.value, out);
    case PaxosKind::ask:
      return receive_ask(envelope.from, out);
  }
}

template <typename Mutation>
void BasicPaxosMachine<Mutation>::tick(Output& out) noexcept {
  if (state_.chosen != 0) return;
  if (retry_in_ > 1) {
    --retry_in_;
  } else {
    retry_in_ = config_.retry_ticks;
    for (const auto to : config_.acceptors)
      if (to != self_) send_now(to, {PaxosKind::ask, 0, 0, 0}, out);
  }
  if (wanted_ == 0) return;
  if (ballot_in_ > 0) --ballot_in_;
  if (ballot_in_ == 0) open_ballot(out);
}

template <typename Mutation>
void BasicPaxosMachine<Mutation>::persisted(PersistToken token, Output& out) noexcept {
  const bool was_durable = is_chosen_durable();
  durable_token_ = std::max(durable_token_, token);
  if (!was_durable && is_chosen_durable()) out.events.push_back({state_.chosen});
}

template <typename Mutation>
std::uint64_t BasicPaxosMachine<Mutation>::hash() const noexcept {
  Hasher hasher;
  hasher.add(self_);
  hasher.add(state_.promised);
  hasher.add(state_.accepted_ballot);
  hasher.add(state_.accepted);
  hasher.add(state_.opened);
  hasher.add(state_.chosen);
  hasher.add(state_.abstains);
  hasher.add(token_);
  hasher.add(durable_token_);
  hasher.add(chosen_token_);
  hasher.add(wanted_);
  hasher.add(phase_);
  hasher.add(ballot_);
  hasher.add(seen_);
  hasher.add(best_ballot_);
  hasher.add(proposal_);
  hasher.add(heard_);
  hasher.add(attempts_);
  hasher.add(retry_in_);
  hasher.add(ballot_in_);
  hasher.add(told_ballot_);
  hasher.add(told_by_);
  return hasher.value();
}

template <typename Mutation>
void BasicPaxosMachine<Mutation>::receive_prepare(NodeIndex from, const Message& prepare,
                                                  Output& out) noexcept {
  if (acceptor_ < 0 || state_.abstains) return;
  if (prepare.ballot < state_.promised)
    return send_now(from, {PaxosKind::refuse, state_.promised, 0, 0}, out);
  if (prepare.ballot > state_.promised) {
    state_.promised = prepare.ballot;
    persist(out);
  }
  Message answer{PaxosKind::promise, prepare.ballot, state_.accepted_ballot, state_.accepted};
  if (config_.mutation.is(Mutant::forget_accepted)) {
    answer.accepted_ballot = 0;
    answer.value = 0;
  }
  send_durable(from, answer, Mutant::promise_before_persist, out);
}

template <typename Mutation>
void BasicPaxosMachine<Mutation>::receive_promise(int acceptor, const Message& promise,
                                                  Output& out) noexcept {
  if (acceptor < 0 || phase_ != Phase::promises || promise.ballot != ballot_) return;
  heard_ |= 1U << acceptor;
  const bool better = config_.mutation.is(Mutant::lowest_ballot)
                          ? best_ballot_ == 0 || promise.accepted_ballot < best_ballot_
                          : promise.accepted_ballot > best_ballot_;
  if (promise.accepted_ballot > 0 && better) {
    best_ballot_ = promise.accepted_ballot;
    proposal_ = promise.value;
  }
  if (std::popcount(heard_) < needed(config_.phase1)) return;
  phase_ = Phase::accepts;
  heard_ = 0;
  for (const auto to : config_.acceptors)
    send_now(to, {PaxosKind::accept, ballot_, 0, proposal_}, out);
}

template <typename Mutation>
void BasicPaxosMachine<Mutation>::receive_accept(NodeIndex from, const Message& accept,
                                                 Output& out) noexcept {
  if (acceptor_ < 0 || state_.abstains) return;
  if (accept.ballot < state_.promised && !config_.mutation.is(Mutant::no_promise_check))
    return send_now(from, {PaxosKind::refuse, state_.promised, 0, 0}, out);
  if (accept.ballot != state_.accepted_ballot) {
    state_.promised = std::max(state_.promised, accept.ballot);
    state_.accepted_ballot = accept.ballot;
    state_.accepted = accept.value;
    persist(out);
  }
  send_durable(from, {PaxosKind::accepted, accept.ballot, 0, 0}, Mutant::accept_before_persist,
               out);
}

template <typename Mutation>
void BasicPaxosMachine<Mutation>::receive_accepted(int acceptor, const Message& accepted,
                                                   Output& out) noexcept {
  if (acceptor < 0 || phase_ != Phase::accepts || accepted.ballot != ballot_) return;
  heard_ |= 1U << acceptor;
  if (std::popcount(heard_) < needed(config_.phase2)) return;
  const auto value = proposal_;
  learn(value, out);
  for (NodeIndex to = 0; to < config_.nodes; ++to)
    if (to != self_) send_now(to, {PaxosKind::learn, 0, 0, value}, out);
}

/// Answers a learner that no proposer has told. What is told is durable before.
template <typename Mutation>
void BasicPaxosMachine<Mutation>::receive_ask(NodeIndex from, Output& out) noexcept {
  if (acceptor_ < 0 || state_.abstains || state_.accepted_ballot == 0) return;
  if (acceptor_number(from) >= 0) return;
  send_durable(from, {PaxosKind::accepted, state_.accepted_ballot, 0, state_.accepted},
               Mutant::accept_before_persist, out);
}

/// As a learner: a quorum that has accepted one ballot has chosen its value, whatever it has done
/// since. What was accepted in different ballots does not add up.
template <typename Mutation>
void BasicPaxosMachine<Mutation>::hear_accepted(int acceptor, const Message& accepted,
                                                Output& out) noexcept {
  if (acceptor < 0 || acceptor_ >= 0 || accepted.value == 0 || state_.chosen != 0) return;
  if (accepted.ballot < told_ballot_) return;
  if (accepted.ballot > told_ballot_ && !config_.mutation.is(Mutant::learn_across_ballots))
    told_by_ = 0;
  told_ballot_ = accepted.ballot;
  told_by_ |= 1U << acceptor;
  if (std::popcount(told_by_) >= needed(config_.phase2)) learn(accepted.value, out);
}

/// Opens a ballot above all that were seen; that it was used is durable before it is.
template <typename Mutation>
void BasicPaxosMachine<Mutation>::open_ballot(Output& out) noexcept {
  const auto count = static_cast<Ballot>(config_.nodes);
  const auto mine = static_cast<Ballot>(self_) + 1;
  const auto above = std::max({state_.promised, state_.opened, seen_});
  auto ballot = above / count * count + mine;
  if (ballot <= above) ballot += count;
  if (config_.mutation.is(Mutant::ballot_not_durable)) ballot = attempts_ * count + mine;
  if (ballot > config_.ballot_max) return;
  attempts_ = std::min(attempts_ + 1, 16U);
  ballot_in_ = config_.ballot_ticks * mine * attempts_;
  ballot_ = ballot;
  phase_ = Phase::promises;
  heard_ = 0;
  best_ballot_ = 0;
  proposal_ = wanted_;
  if (!config_.mutation.is(Mutant::ballot_not_durable)) {
    state_.opened = ballot;
    persist(out);
  }
  for (const auto to : config_.acceptors)
    send_durable(to, {PaxosKind::prepare, ballot, 0, 0}, Mutant::ballot_not_durable, out);
}

template <typename Mutation>
void BasicPaxosMachine<Mutation>::learn(Value value, Output& out) noexcept {
  state_.chosen = value;
  phase_ = Phase::idle;
  persist(out);
  chosen_token_ = token_;
}

template <typename Mutation>
void BasicPaxosMachine<Mutation>::persist(Output& out) noexcept {
  if (!out.persist) ++token_;
  out.persist = state_;
  out.token = token_;
}

template <typename Mutation>
void BasicPaxosMachine<Mutation>::send_now(NodeIndex to, const Message& message,
                                           Output& out) const noexcept {
  out.now.push_back({self_, to, message});
}

template <typename Mutation>
void BasicPaxosMachine<Mutation>::send_durable(NodeIndex to, const Message& message,
                                               [[maybe_unused]] Mutant hasty,
                                               Output& out) const noexcept {
  if (config_.mutation.is(hasty)) return send_now(to, message, out);
  out.token = token_;
  out.after_persist.push_back({self_, to, message});
}

template <typename Mutation>
int BasicPaxosMachine<Mutation>::acceptor_number(NodeIndex node) const noexcept {
  for (std::size_t k = 0; k < config_.acceptors.size(); ++k)
    if (config_.acceptors[k] == node) return static_cast<int>(k);
  return -1;
}

template <typename Mutation>
int BasicPaxosMachine<Mutation>::needed(int quorum) const noexcept {
  return config_.mutation.is(Mutant::quorum_of_one) ? 1 : quorum;
}

template class BasicPaxosMachine<Faithful>;
template class BasicPaxosMachine<Mutated>;
static_assert(Machine<PaxosMachine> && Machine<MutatedPaxosMachine>);

PaxosConfig paxos_config(int nodes, const FlexibleQuorum& quorum) {
  if (nodes < 1 || nodes > 64)
    throw Error(Errc::usage, std::to_string(nodes) + " nodes: there must be 1 to 64");
  PaxosConfig config;
  config.nodes = nodes;
  config.acceptors = first_acceptors(quorum.nodes());
  config.phase1 = quorum.phase1();
  config.phase2 = quorum.phase2();
  return config;
}

std::string describe(const PaxosMessage& message) {
  const auto ballot = " b" + std::to_string(message.ballot);
  const auto value = " " + std::to_string(message.value);
  switch (message.kind) {
    case PaxosKind::prepare:
      return "prepare" + ballot;
    case PaxosKind::promise:
      return "promise" + ballot +
             (message.accepted_ballot == 0
                  ? " nothing accepted"
                  : " accepted b" + std::to_string(message.accepted_ballot) + value);
    case PaxosKind::accept:
      return "accept" + ballot + value;
    case PaxosKind::accepted:
      return "accepted" + ballot + (message.value == 0 ? "" : value);
    case PaxosKind::refuse:
      return "refuse, promised" + ballot;
    case PaxosKind::learn:
      return "learn" + value;
    case PaxosKind::ask:
      return "ask";
  }
  return {};
}

std::string describe(const PaxosRecord& record) {
  auto text =
      "opened b" + std::to_string(record.opened) + ", promised b" + std::to_string(record.promised);
  if (record.accepted_ballot > 0)
    text += ", accepted b" + std::to_string(record.accepted_ballot) + " " +
            std::to_string(record.accepted);
  if (record.chosen != 0) text += ", chosen " + std::to_string(record.chosen);
  return record.abstains ? text + ", abstains" : text;
}

std::string describe(const PaxosEvent& event) { return "CHOSEN " + std::to_string(event.chosen); }
std::string describe(const PaxosCommand& command) { return std::to_string(command.value); }

}  // namespace cairn::consensus
