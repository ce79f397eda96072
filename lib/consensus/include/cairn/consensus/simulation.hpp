/// Runs any machine under a seeded simulation of a cluster with faults.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cairn/consensus/machine.hpp"
#include "cairn/consensus/sequence.hpp"
#include "cairn/transport/simulated_disk.hpp"
#include "cairn/transport/simulated_network.hpp"

namespace cairn::consensus {

/// What a simulation asks about its protocol: the application on each node, and the judge.
///
/// `judge.begin(seed)` starts a schedule; `command(node, machine, healed)` is asked at each tick
/// for what the application wants; the others are told what happened. `violation()` is empty, or
/// says what was broken. `finished(node, machine)` must become true for all after the healing.
template <typename J, typename M>
concept Judge = Machine<M> &&
    requires(J judge, const J& view, NodeIndex node, const M& machine,
             const typename M::Event& event, std::uint64_t seed,
             const Envelope<typename M::Message>& envelope, const typename M::Durable& durable) {
  { view.nodes() } -> std::convertible_to<int>;
  { view.config() } -> std::convertible_to<const typename M::Config&>;
  judge.begin(seed);
  { judge.command(node, machine, true) } -> std::same_as<std::optional<typename M::Command>>;
  judge.sent(envelope);
  judge.landed(node, durable);
  judge.happened(node, event);
  judge.recovered(node, machine);
  { view.finished(node, machine) } -> std::same_as<bool>;
  { judge.may_tear(node) } -> std::same_as<bool>;
  { view.violation() } -> std::convertible_to<const std::string&>;
};

/// What a schedule, or many of them, came to.
struct Tally {
  std::uint64_t steps = 0;  ///< inputs given to machines, crashes and restarts
  std::uint64_t messages = 0;
  std::uint64_t crashes = 0;
  std::uint64_t lost_writes = 0;
  std::uint64_t torn_writes = 0;
  std::uint64_t partitions = 0;

  Tally& operator+=(const Tally& other) noexcept {
    steps += other.steps;
    messages += other.messages;
    crashes += other.crashes;
    lost_writes += other.lost_writes;
    torn_writes += other.torn_writes;
    partitions += other.partitions;
    return *this;
  }
  friend bool operator==(const Tally&, const Tally&) = default;
};

/// A cluster of machines. `run` may be called for one seed after the other.
template <typename M, typename J>
requires Judge<J, M>
class Simulation {
 public:
  struct Result {
    Tally tally;
    std::string violation;  ///< empty if all held
    std::uint64_t healed_for = 0;
  };

  /// `judge` outlives the simulation.
  explicit Simulation(J& judge)
      : judge_(judge), network_(judge.nodes(), {}, 0), weather_(0), disk_luck_(0) {}

  /// One schedule under the weather of its seed. With `sequence` its story is told.
  Result run(std::uint64_t seed, Sequence* sequence = nullptr) {
    return run(seed, transport::swarm(seed), sequence);
  }

  /// One schedule: `faults.safety_length` units of time with faults, then all is healed, and every
  /// node has to finish within `healed_max`.
  Result run(std::uint64_t seed, const transport::Faults& faults, Sequence* sequence) {
    begin(seed, faults, sequence);
    while (judge_.violation().empty()) {
      if (now() == faults_.safety_length) heal();
      if (healed_ && all_finished()) break;
      if (healed_ && now() > faults.safety_length + healed_max) {
        late_ = "not finished " + std::to_string(healed_max) + " units after the healing";
        break;
      }
      pass_time();
    }
    tally_.messages = network_.counts().sent;
    const auto& broken = judge_.violation().empty() ? late_ : judge_.violation();
    if (!broken.empty()) tell(Sequence::What::violation, 0, broken);
    return {tally_, broken, healed_ ? now() - faults.safety_length : 0};
  }

  static constexpr std::uint64_t healed_max = 20000;

 private:
  using Message = typename M::Message;
  using Durable = typename M::Durable;
  using Network = transport::SimulatedNetwork<Message>;
  struct Held {
    PersistToken token = 0;
    Envelope<Message> envelope;
  };
  struct Node {
    std::optional<M> machine;
    transport::SimulatedDisk<Durable, typename M::Record> disk;
    std::vector<Held> held;                // in the order of their tokens
    std::vector<Envelope<Message>> heard;  // while paused
    PersistToken durable = 0;
    bool up = true;
    std::uint64_t back_at = 0;  // of a crashed or paused node
  };

  [[nodiscard]] std::uint64_t now() const noexcept { return network_.now(); }

  void begin(std::uint64_t seed, const transport::Faults& faults, Sequence* sequence) {
    faults_ = faults;
    sequence_ = sequence;
    weather_ = transport::Draws(seed, 2);
    disk_luck_ = transport::Draws(seed, 3);
    network_.reset(judge_.nodes(), faults, seed);
    judge_.begin(seed);
    tally_ = {};
    late_.clear();
    healed_ = false;
    parted_until_ = 0;
    nodes_.resize(judge_.nodes());
    if (sequence_ != nullptr) tell(Sequence::What::note, 0, transport::describe(faults));
    for (NodeIndex i = 0; i < judge_.nodes(); ++i) {
      nodes_[i].disk.reset();
      start(i);
    }
  }

  void start(NodeIndex i) {
    auto& node = nodes_[i];
    node.held.clear();
    node.heard.clear();
    node.durable = 0;
    node.up = true;
    node.back_at = 0;
    Recovered<Durable> recovered;
    recovered.durable = node.disk.durable();
    using State = typename Recovered<Durable>::State;
    recovered.state = node.disk.state() == transport::DiskState::valid   ? State::valid
                      : node.disk.state() == transport::DiskState::blank ? State::blank
                                                                         : State::unreadable;
    node.machine.emplace(judge_.config(), i, recovered);
  }

  void pass_time() {
    if (!healed_) change_weather();
    network_.advance([&](const typename Network::Arrival& arrival) { receive(arrival); });
    for (NodeIndex i = 0; i < judge_.nodes(); ++i) {
      auto& node = nodes_[i];
      if (node.back_at != 0 && node.back_at <= now()) come_back(i);
      if (!node.up || node.back_at != 0) continue;
      while (node.disk.is_due(now())) complete_write(i);
      if ((now() + i) % faults_.tick_every == 0) give_tick(i);
    }
  }

  void change_weather() {
    const auto luck = weather_.bits();
    if (faults_.partition > 0 && parted_until_ == 0 && (luck & 0xffff) < faults_.partition) part();
    if (parted_until_ != 0 && parted_until_ <= now()) join_all();
    const auto victim = static_cast<NodeIndex>(((luck >> 48) * judge_.nodes()) >> 16);
    if (((luck >> 16) & 0xffff) < faults_.crash && nodes_[victim].up) crash(victim);
    if (((luck >> 32) & 0xffff) < faults_.pause && nodes_[victim].up &&
        nodes_[victim].back_at == 0) {
      nodes_[victim].back_at = now() + 1 + weather_.below(faults_.pause_max);
      tell(Sequence::What::at_node, victim, "pauses");
    }
  }

  void part() {
    ++tally_.partitions;
    parted_until_ = now() + 1 + weather_.below(faults_.partition_max);
    const bool one_way = weather_.chance(faults_.asymmetric);
    // A third isolates one node, the rest is any cut in two.
    auto side = weather_.bits();
    if (weather_.below(3) == 0) side = std::uint64_t{1} << weather_.below(judge_.nodes());
    for (NodeIndex a = 0; a < judge_.nodes(); ++a)
      for (NodeIndex b = 0; b < judge_.nodes(); ++b) {
        const bool a_in = (side >> a & 1) != 0;
        const bool b_in = (side >> b & 1) != 0;
        if (a_in && !b_in) network_.cut(a, b);
        if (!a_in && b_in && !one_way) network_.cut(a, b);
      }
    if (sequence_ == nullptr) return;
    std::string text = one_way ? "cut, one way, from" : "cut around";
    for (NodeIndex a = 0; a < judge_.nodes(); ++a)
      if ((side >> a & 1) != 0) text += " n" + std::to_string(a);
    tell(Sequence::What::note, 0, text);
  }

  void join_all() {
    parted_until_ = 0;
    for (NodeIndex a = 0; a < judge_.nodes(); ++a)
      for (NodeIndex b = 0; b < judge_.nodes(); ++b) network_.join(a, b);
    tell(Sequence::What::note, 0, "joined");
  }

  void crash(NodeIndex i) {
    auto& node = nodes_[i];
    ++tally_.steps;
    ++tally_.crashes;
    const auto loss =
        node.disk.crash(faults_, judge_.may_tear(i), disk_luck_,
                        [](Durable& durable, const auto& record) { M::apply(durable, record); });
    tally_.lost_writes += loss.lost;
    tally_.torn_writes += loss.torn;
    if (node.disk.state() == transport::DiskState::valid) judge_.landed(i, node.disk.durable());
    node.up = false;
    node.held.clear();
    node.heard.clear();
    node.back_at = now() + 1 + weather_.below(faults_.down_max);
    if (sequence_ != nullptr)
      tell(Sequence::What::crash, i,
           "crashes, " + std::to_string(loss.lost) + " writes lost" +
               (loss.torn > 0 ? ", record torn" : ""));
  }

  void come_back(NodeIndex i) {
    auto& node = nodes_[i];
    node.back_at = 0;
    if (!node.up) {
      ++tally_.steps;
      start(i);
      tell(Sequence::What::restart, i, "restarts");
      judge_.recovered(i, *node.machine);
      return;
    }
    tell(Sequence::What::at_node, i, "goes on");
    std::vector<Envelope<Message>> heard;
    heard.swap(node.heard);
    for (const auto& envelope : heard) step(envelope);
  }

  void heal() {
    healed_ = true;
    tell(Sequence::What::note, 0, "everything heals");
    network_.heal();
    faults_.write_max = std::min(faults_.write_max, 2U);
    faults_.late_write = 0;
    for (NodeIndex i = 0; i < judge_.nodes(); ++i)
      if (nodes_[i].back_at != 0) come_back(i);
  }

  [[nodiscard]] bool all_finished() const {
    for (NodeIndex i = 0; i < judge_.nodes(); ++i)
      if (!judge_.finished(i, *nodes_[i].machine)) return false;
    return true;
  }

  void receive(const typename Network::Arrival& arrival) {
    const auto& envelope = arrival.envelope;
    auto& node = nodes_[envelope.to];
    if (!node.up) return;
    if (sequence_ != nullptr)
      sequence_->add({now(), Sequence::What::received, envelope.to, envelope.from, arrival.sent_at,
                      describe(envelope.message)});
    if (node.back_at != 0)
      node.heard.push_back(envelope);
    else
      step(envelope);
  }

  void step(const Envelope<Message>& envelope) {
    ++tally_.steps;
    out_.clear();
    nodes_[envelope.to].machine->step(envelope, out_);
    obey(envelope.to);
  }

  void give_tick(NodeIndex i) {
    ++tally_.steps;
    out_.clear();
    nodes_[i].machine->tick(out_);
    obey(i);
    if (const auto command = judge_.command(i, *nodes_[i].machine, healed_)) {
      ++tally_.steps;
      if (sequence_ != nullptr) tell(Sequence::What::at_node, i, "proposes " + describe(*command));
      out_.clear();
      nodes_[i].machine->propose(*command, out_);
      obey(i);
    }
  }

  void complete_write(NodeIndex i) {
    auto& node = nodes_[i];
    ++tally_.steps;
    const auto token = static_cast<PersistToken>(node.disk.complete(
        [](Durable& durable, const auto& record) { M::apply(durable, record); }));
    node.durable = token;
    if (sequence_ != nullptr)
      tell(Sequence::What::at_node, i, "durable: " + describe(node.disk.durable()));
    judge_.landed(i, node.disk.durable());
    std::size_t sendable = 0;
    for (; sendable < node.held.size() && node.held[sendable].token <= token; ++sendable)
      send(node.held[sendable].envelope);
    node.held.erase(node.held.begin(), node.held.begin() + static_cast<std::ptrdiff_t>(sendable));
    out_.clear();
    node.machine->persisted(token, out_);
    obey(i);
  }

  /// Does what the machine of node `i` asked for.
  void obey(NodeIndex i) {
    auto& node = nodes_[i];
    if (out_.persist) node.disk.begin(*out_.persist, out_.token, now(), faults_, disk_luck_);
    for (const auto& envelope : out_.now) send(envelope);
    for (const auto& envelope : out_.after_persist) {
      if (out_.token <= node.durable)
        send(envelope);
      else
        node.held.push_back({out_.token, envelope});
    }
    for (const auto& event : out_.events) {
      if (sequence_ != nullptr) tell(Sequence::What::at_node, i, describe(event));
      judge_.happened(i, event);
    }
  }

  void send(const Envelope<Message>& envelope) {
    judge_.sent(envelope);
    const bool under_way = network_.send(envelope);
    if (sequence_ != nullptr)
      sequence_->add({now(), under_way ? Sequence::What::sent : Sequence::What::lost, envelope.from,
                      envelope.to, now(), describe(envelope.message)});
  }

  void tell(Sequence::What what, NodeIndex node, const std::string& text) {
    if (sequence_ != nullptr) sequence_->add({now(), what, node, node, now(), text});
  }

  J& judge_;
  transport::Faults faults_;
  Network network_;
  transport::Draws weather_;
  transport::Draws disk_luck_;
  std::vector<Node> nodes_;
  typename M::Output out_;
  Tally tally_;
  std::string late_;
  std::uint64_t parted_until_ = 0;
  bool healed_ = false;
  Sequence* sequence_ = nullptr;
};

}  // namespace cairn::consensus
