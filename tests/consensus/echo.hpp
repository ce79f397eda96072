/// The smallest machine: a node tells its number to all, durably, and knows all numbers in the end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cairn/consensus/machine.hpp"

namespace echo {

using cairn::consensus::Envelope;
using cairn::consensus::NodeIndex;
using cairn::consensus::PersistToken;
using cairn::consensus::Recovered;

struct Message {
  std::uint64_t known = 0;
};
struct Command {};
struct Event {
  std::uint64_t known = 0;
};
struct Known {
  std::uint64_t nodes = 0;
};

class Machine {
 public:
  struct Config {
    int nodes = 0;
  };
  using Message = echo::Message;
  using Command = echo::Command;
  using Event = echo::Event;
  using Record = Known;
  using Durable = Known;
  using Output = cairn::consensus::Output<Record, Message, Event, 64>;

  Machine(const Config& config, NodeIndex self, const Recovered<Durable>& recovered)
      : nodes_(config.nodes), self_(self), known_(recovered.durable.nodes) {}

  void propose(const Command&, Output& out) noexcept { learn(std::uint64_t{1} << self_, out); }
  void step(const Envelope<Message>& envelope, Output& out) noexcept {
    learn(envelope.message.known, out);
  }
  void tick(Output& out) noexcept { tell(out); }
  void persisted(PersistToken, Output& out) noexcept { out.events.push_back({known_}); }
  static void apply(Durable& durable, const Record& record) { durable = record; }
  [[nodiscard]] std::uint64_t hash() const noexcept {
    cairn::consensus::Hasher hasher;
    hasher.add(known_);
    hasher.add(token_);
    return hasher.value();
  }
  [[nodiscard]] std::uint64_t known() const noexcept { return known_; }
  friend bool operator==(const Machine&, const Machine&) = default;

 private:
  void learn(std::uint64_t known, Output& out) noexcept {
    if ((known & ~known_) == 0) return;
    known_ |= known;
    out.persist = Known{known_};
    ++token_;
    tell(out);
  }
  void tell(Output& out) const noexcept {
    out.token = token_;
    for (NodeIndex to = 0; to < nodes_; ++to)
      if (to != self_) out.after_persist.push_back({self_, to, {known_}});
  }

  int nodes_;
  NodeIndex self_;
  std::uint64_t known_;
  PersistToken token_ = 0;
};

inline std::string describe(const Message& m) { return "known " + std::to_string(m.known); }
inline std::string describe(const Command&) { return "itself"; }
inline std::string describe(const Event& e) { return "knows " + std::to_string(e.known); }
inline std::string describe(const Known& k) { return "known " + std::to_string(k.nodes); }

/// What was told to others was durable before, and stays known through crashes.
class Judge {
 public:
  explicit Judge(int nodes) : config_{nodes} {}
  [[nodiscard]] int nodes() const { return config_.nodes; }
  [[nodiscard]] const Machine::Config& config() const { return config_; }
  void begin(std::uint64_t) {
    violation_.clear();
    for (auto& told : told_) told = 0;
  }
  std::optional<Command> command(NodeIndex node, const Machine& machine, bool) const {
    if ((machine.known() >> node & 1) != 0) return std::nullopt;
    return Command{};
  }
  void sent(const Envelope<Message>& e) { told_[e.from] |= e.message.known; }
  void landed(NodeIndex, const Known&) {}
  void happened(NodeIndex, const Event&) {}
  void recovered(NodeIndex node, const Machine& machine) {
    if ((told_[node] & ~machine.known()) != 0) violation_ = "a node forgot what it had told";
  }
  [[nodiscard]] bool finished(NodeIndex, const Machine& machine) const {
    return machine.known() == (std::uint64_t{1} << config_.nodes) - 1;
  }
  bool may_tear(NodeIndex) { return false; }
  [[nodiscard]] const std::string& violation() const { return violation_; }

 private:
  Machine::Config config_;
  std::uint64_t told_[64] = {};
  std::string violation_;
};

}  // namespace echo
