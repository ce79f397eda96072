/// A cluster that the test drives itself: calm, or one message at a time, with its story as text.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "cairn/consensus/machine.hpp"

namespace by_hand {

using cairn::consensus::Envelope;
using cairn::consensus::NodeIndex;
using cairn::consensus::PersistToken;
using cairn::consensus::Recovered;

template <typename M>
class Cluster {
 public:
  using Message = typename M::Message;
  using Config = typename M::Config;

  Cluster(const Config& config, int nodes) : config_(config), nodes_(nodes) {
    for (NodeIndex i = 0; i < nodes; ++i) machines_.emplace_back(config, i, Recovered<Durable>{});
    disks_.resize(nodes);
    is_down_.resize(nodes);
  }

  M& operator[](NodeIndex node) { return machines_[node]; }

  template <typename Command>
  void propose(NodeIndex node, const Command& command) {
    tell("n" + std::to_string(node) + " proposes " + describe(command));
    out_.clear();
    machines_[node].propose(command, out_);
    obey(node);
  }
  void tick(NodeIndex node, int times = 1) {
    for (int i = 0; i < times; ++i) {
      out_.clear();
      machines_[node].tick(out_);
      obey(node);
    }
  }
  void crash(NodeIndex node) { is_down_[node] = true; }
  void restart(NodeIndex node, bool unreadable = false) {
    is_down_[node] = false;
    auto recovered = disks_[node];
    if (unreadable) recovered.state = Recovered<Durable>::State::unreadable;
    machines_[node] = M(config_, node, recovered);
  }

  /// Delivers all that is under way, and what follows, round by round: a round is one delay.
  /// Returns the number of rounds.
  int settle() {
    int rounds = 0;
    for (; !under_way_.empty(); ++rounds) settle_round();
    return rounds;
  }
  void settle_round() {
    std::deque<Envelope<Message>> round;
    round.swap(under_way_);
    for (const auto& envelope : round) deliver(envelope);
  }
  void deliver(const Envelope<Message>& envelope) {
    if (is_down_[envelope.to]) return;
    ++delivered_;
    tell("n" + std::to_string(envelope.from) + " -> n" + std::to_string(envelope.to) + " " +
         describe(envelope.message));
    out_.clear();
    machines_[envelope.to].step(envelope, out_);
    obey(envelope.to);
  }
  void lose_all() { under_way_.clear(); }

  [[nodiscard]] int delivered() const { return delivered_; }
  [[nodiscard]] int writes() const { return writes_; }
  /// Events as "n0 COMMITTED".
  [[nodiscard]] const std::vector<std::string>& events() const { return events_; }
  [[nodiscard]] const std::string& story() const { return story_; }

 private:
  using Durable = typename M::Durable;

  /// Disks are fast here: what is to be written is written before anything else happens.
  void obey(NodeIndex node) {
    const auto out = out_;
    for (const auto& envelope : out.now) under_way_.push_back(envelope);
    for (const auto& event : out.events) {
      events_.push_back("n" + std::to_string(node) + " " + describe(event));
      tell(events_.back());
    }
    if (out.persist) {
      ++writes_;
      M::apply(disks_[node].durable, *out.persist);
      disks_[node].state = Recovered<Durable>::State::valid;
    }
    for (const auto& envelope : out.after_persist) under_way_.push_back(envelope);
    if (!out.persist) return;
    out_.clear();
    machines_[node].persisted(out.token, out_);
    obey(node);
  }

  void tell(const std::string& line) { story_ += line + "\n"; }

  Config config_;
  int nodes_;
  std::vector<M> machines_;
  std::vector<Recovered<Durable>> disks_;
  std::vector<bool> is_down_;
  std::deque<Envelope<Message>> under_way_;
  typename M::Output out_;
  int delivered_ = 0;
  int writes_ = 0;
  std::vector<std::string> events_;
  std::string story_;
};

}  // namespace by_hand
