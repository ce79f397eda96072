/// The application around commit machines, and the judge of what they say.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>

#include "cairn/consensus/commit.hpp"
#include "cairn/consensus/simulation.hpp"
#include "cairn/transport/draws.hpp"

namespace cairn::consensus {

/// Holds the promises of commit:
///  * all decisions are the same, and none changes in a restart;
///  * committed: every participant had its vote `prepared` on disk;
///  * aborted: somebody refused, or a ballot ≥ 1 was opened;
///  * votes, promises and acceptances that were told survive restarts;
///  * one ballot carries one proposal.
template <typename M>
class CommitJudge {
 public:
  using Config = typename M::Config;
  using Message = typename M::Message;

  CommitJudge(const Config& config, int nodes) : config_(config), nodes_(nodes) {}

  [[nodiscard]] int nodes() const { return nodes_; }
  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] const std::string& violation() const { return violation_; }
  [[nodiscard]] bool has_decided() const { return decision_ == Decision::committed; }

  void begin(std::uint64_t seed) {
    transport::Draws draws(seed, 4);
    violation_.clear();
    decision_ = Decision::none;
    durable_ = {};
    refused_ = opened_ = false;
    proposals_.clear();
    nodes_state_.fill({});
    // In half of the schedules all parts are written, else each node may refuse or say nothing.
    const bool all_well = draws.below(2) == 0;
    for (NodeIndex i = 0; i < nodes_; ++i) {
      const auto luck = draws.below(16);
      nodes_state_[i].plan = all_well || luck >= 2 ? Vote::prepared
                             : luck == 1           ? Vote::aborted
                                                   : Vote::none;
    }
    choose_tearable(draws);
  }

  /// A node that has lost its vote in a crash has also lost its part, and refuses.
  std::optional<CommitCommand> command(NodeIndex node, const M& machine, bool) {
    if (node >= config_.participants || machine.vote() != Vote::none ||
        machine.decision() != Decision::none || machine.state().abstains)
      return std::nullopt;
    const auto vote = nodes_state_[node].plan;
    if (vote == Vote::none) return std::nullopt;
    if (vote == Vote::aborted) refused_ = true;
    return CommitCommand{vote};
  }

  void sent(const Envelope<Message>& envelope) {
    const auto& message = envelope.message;
    auto& told = nodes_state_[envelope.from];
    switch (message.kind) {
      case CommitKind::vote:
        told.voted = message.prepared.empty() ? Vote::aborted : Vote::prepared;
        return;
      case CommitKind::promise:
        told.promised = std::max(told.promised, message.ballot);
        return;
      case CommitKind::accepted:
        told.promised = std::max(told.promised, message.ballot);
        told.accepted = std::max(told.accepted, message.ballot);
        return;
      case CommitKind::prepare:
        opened_ = true;
        return;
      case CommitKind::accept: {
        const auto [place, is_new] = proposals_.try_emplace(message.ballot, message.prepared);
        if (!is_new && !(place->second == message.prepared))
          violation_ = "two proposals at ballot " + std::to_string(message.ballot);
        return;
      }
      default:
        return;
    }
  }

  void landed(NodeIndex node, const typename M::Durable& durable) {
    if (durable.vote == Vote::prepared) durable_.insert(node);
    if (durable.decision != Decision::none) agree(node, durable.decision);
  }

  void happened(NodeIndex node, const typename M::Event& event) {
    using Kind = typename M::Event::Kind;
    if (event.kind == Kind::fenced) return;
    const auto decision = event.kind == Kind::committed ? Decision::committed : Decision::aborted;
    const auto name = "n" + std::to_string(node);
    nodes_state_[node].decision = decision;
    agree(node, decision);
    if (decision == Decision::committed &&
        !NodeSet<64>::first(config_.participants).without(durable_).empty())
      violation_ = "durability: " + name + " committed an epoch of which a part is not durable";
    if (decision == Decision::aborted && !refused_ && !opened_)
      violation_ = "non-triviality: " + name + " aborted though nobody refused or took over";
  }

  void recovered(NodeIndex node, const M& machine) {
    auto& told = nodes_state_[node];
    const auto& state = machine.state();
    if (state.vote == Vote::none && told.plan == Vote::prepared) told.plan = Vote::aborted;
    if (state.abstains) {
      told = {};
      return;
    }
    const auto name = "n" + std::to_string(node);
    if (told.decision != Decision::none && machine.decision() != told.decision)
      violation_ = "durability: " + name + " forgot a decision";
    if (told.voted != Vote::none && state.vote != told.voted)
      violation_ = "durability: " + name + " forgot its vote";
    if (state.promised < told.promised) violation_ = "durability: " + name + " forgot a promise";
    if (state.accepted_ballot < told.accepted)
      violation_ = "durability: " + name + " forgot what it had accepted";
  }

  [[nodiscard]] bool finished(NodeIndex, const M& machine) const {
    return machine.is_decision_durable();
  }

  bool may_tear(NodeIndex node) const { return tearable_.contains(node); }

 private:
  struct Told {
    Vote plan = Vote::none;
    Vote voted = Vote::none;
    Decision decision = Decision::none;
    Ballot promised = 0;
    Ballot accepted = 0;
  };

  void agree(NodeIndex node, Decision decision) {
    if (decision_ == Decision::none)
      decision_ = decision;
    else if (decision_ != decision)
      violation_ = "agreement: n" + std::to_string(node) + " decided otherwise than another node";
  }

  /// At most f acceptors lose their records, or nobody could ever decide again.
  void choose_tearable(transport::Draws& draws) {
    tearable_ = {};
    int left = (static_cast<int>(config_.acceptors.size()) - 1) / 2;
    const auto first = static_cast<NodeIndex>(draws.below(static_cast<std::uint32_t>(nodes_)));
    for (NodeIndex i = 0; i < nodes_; ++i) {
      const auto node = (first + i) % nodes_;
      const bool is_acceptor = std::find(config_.acceptors.begin(), config_.acceptors.end(),
                                         node) != config_.acceptors.end();
      if (!is_acceptor || left-- > 0) tearable_.insert(node);
    }
  }

  Config config_;
  int nodes_;
  std::string violation_;
  Decision decision_ = Decision::none;
  NodeSet<64> durable_;
  NodeSet<64> tearable_;
  bool refused_ = false;
  bool opened_ = false;
  std::map<Ballot, NodeSet<64>> proposals_;
  std::array<Told, 64> nodes_state_{};
};

}  // namespace cairn::consensus
