/// The application around Paxos machines, and the judge of what they say.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>

#include "cairn/consensus/paxos.hpp"
#include "cairn/consensus/simulation.hpp"
#include "cairn/transport/draws.hpp"

namespace cairn::consensus {

/// Holds the promises of Paxos:
///  * one value is chosen, it was proposed, and nobody forgets it;
///  * promises and acceptances that were told survive restarts;
///  * one ballot carries one value.
template <typename M>
class PaxosJudge {
 public:
  using Config = typename M::Config;
  using Message = typename M::Message;

  PaxosJudge(const Config& config, int nodes) : config_(config), nodes_(nodes) {}

  [[nodiscard]] int nodes() const { return nodes_; }
  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] const std::string& violation() const { return violation_; }
  [[nodiscard]] bool has_decided() const { return chosen_ != 0; }

  void begin(std::uint64_t seed) {
    transport::Draws draws(seed, 4);
    violation_.clear();
    chosen_ = 0;
    proposed_ = 0;
    values_.clear();
    told_.fill({});
    proposers_ = draws.bits() | 1;
    choose_tearable(draws);
    choose_learners(draws);
  }

  /// Node i wants the value i + 1: some from the beginning, all but the learners in the end.
  std::optional<PaxosCommand> command(NodeIndex node, const M& machine, bool healed) {
    if (machine.wanted() != 0 || machine.chosen() != 0 || machine.state().abstains ||
        (learners_ >> node & 1) != 0 || (!healed && (proposers_ >> node & 1) == 0))
      return std::nullopt;
    proposed_ |= std::uint64_t{1} << node;
    return PaxosCommand{static_cast<Value>(node) + 1};
  }

  void sent(const Envelope<Message>& envelope) {
    const auto& message = envelope.message;
    auto& told = told_[envelope.from];
    if (message.kind == PaxosKind::promise || message.kind == PaxosKind::accepted)
      told.promised = std::max(told.promised, message.ballot);
    if (message.kind == PaxosKind::accepted)
      told.accepted = std::max(told.accepted, message.ballot);
    if (message.kind != PaxosKind::accept) return;
    const auto [place, is_new] = values_.try_emplace(message.ballot, message.value);
    if (!is_new && place->second != message.value)
      violation_ = "two values at ballot " + std::to_string(message.ballot);
  }

  void landed(NodeIndex node, const typename M::Durable& durable) {
    if (durable.chosen != 0) agree(node, durable.chosen);
  }

  void happened(NodeIndex node, const PaxosEvent& event) {
    const auto name = "n" + std::to_string(node);
    told_[node].chosen = event.chosen;
    agree(node, event.chosen);
    if (event.chosen == 0 || event.chosen > 64 || (proposed_ >> (event.chosen - 1) & 1) == 0)
      violation_ = "validity: " + name + " learned a value that nobody proposed";
  }

  void recovered(NodeIndex node, const M& machine) {
    auto& told = told_[node];
    const auto& state = machine.state();
    if (state.abstains) {
      told = {};
      return;
    }
    const auto name = "n" + std::to_string(node);
    if (told.chosen != 0 && state.chosen != told.chosen)
      violation_ = "durability: " + name + " forgot what was chosen";
    if (state.promised < told.promised) violation_ = "durability: " + name + " forgot a promise";
    if (state.accepted_ballot < told.accepted)
      violation_ = "durability: " + name + " forgot what it had accepted";
  }

  [[nodiscard]] bool finished(NodeIndex, const M& machine) const {
    return machine.is_chosen_durable();
  }

  bool may_tear(NodeIndex node) const { return (tearable_ >> node & 1) != 0; }

 private:
  struct Told {
    Ballot promised = 0;
    Ballot accepted = 0;
    Value chosen = 0;
  };

  void agree(NodeIndex node, Value chosen) {
    if (chosen_ == 0)
      chosen_ = chosen;
    else if (chosen_ != chosen)
      violation_ = "agreement: n" + std::to_string(node) + " learned " + std::to_string(chosen) +
                   ", another node " + std::to_string(chosen_);
  }

  /// At most f acceptors lose their records, and one node stays that can propose.
  void choose_tearable(transport::Draws& draws) {
    tearable_ = 0;
    const auto acceptors = static_cast<int>(config_.acceptors.size());
    int left = acceptors - std::max(config_.phase1, config_.phase2);
    const auto first = static_cast<NodeIndex>(draws.below(static_cast<std::uint32_t>(nodes_)));
    for (NodeIndex i = 0; i + 1 < nodes_; ++i) {
      const auto node = (first + i) % nodes_;
      if (node >= acceptors || left-- > 0) tearable_ |= std::uint64_t{1} << node;
    }
  }

  /// Nodes that never propose: any that do not accept, but one that can propose stays.
  void choose_learners(transport::Draws& draws) {
    const auto acceptors = static_cast<int>(config_.acceptors.size());
    learners_ = 0;
    for (NodeIndex i = acceptors; i < nodes_; ++i) {
      const auto bit = std::uint64_t{1} << i;
      if (draws.below(2) == 0 && (tearable_ & bit) != 0) learners_ |= bit;
    }
  }

  Config config_;
  int nodes_;
  std::string violation_;
  Value chosen_ = 0;
  std::uint64_t proposed_ = 0;
  std::uint64_t proposers_ = 0;
  std::uint64_t tearable_ = 0;
  std::uint64_t learners_ = 0;
  std::map<Ballot, Value> values_;
  std::array<Told, 64> told_{};
};

}  // namespace cairn::consensus
