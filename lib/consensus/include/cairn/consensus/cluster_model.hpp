/// All that a few machines can do together: the shipped code, explored.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cairn/consensus/machine.hpp"
#include "cairn/transport/draws.hpp"

namespace cairn::consensus {

/// When a write is complete. At once: fewer states, and as much to see as long as nobody crashes,
/// since the network keeps messages back for as long as a disk would.
enum class Disks : std::uint8_t { in_their_time, at_once };

/// The model of a cluster for explore(): at any moment any node may tick, get a command, see a
/// write complete, crash and start again, or receive any message that was ever sent to it. So the
/// network loses, doubles, delays and reorders at will. A crash keeps any prefix of the writes
/// under way.
///
/// A node's whole state (machine, disk, held messages) and each message are stored once and named
/// by a number, and what a node does with an input is computed once: a global state is a few words.
///
/// `Rules` says which commands may be given (`commands(machine)`) and judges
/// (`check(nodes)` over pointers to the nodes' LocalState). It may leave out states in which a
/// machine is not `is_within(machine)`, and messages that `is_dead(message, receiver)`: which that
/// will ignore from now on, whatever happens. States that differ in these are one.
template <typename M>
struct LocalState {
  using Message = typename M::Message;
  struct Write {
    typename M::Record record;
    PersistToken token = 0;
    friend bool operator==(const Write&, const Write&) = default;
  };
  struct Held {
    PersistToken token = 0;
    Envelope<Message> envelope;
    friend bool operator==(const Held&, const Held&) = default;
  };
  M machine;
  Recovered<typename M::Durable> disk;
  std::vector<Write> writes;
  std::vector<Held> held;
  PersistToken durable = 0;

  friend bool operator==(const LocalState& a, const LocalState& b) {
    return a.machine == b.machine && a.disk.state == b.disk.state &&
           a.disk.durable == b.disk.durable && a.writes == b.writes && a.held == b.held &&
           a.durable == b.durable;
  }
};

template <typename M, typename Rules, std::size_t message_words = 8>
class ClusterModel {
 public:
  static constexpr int nodes_max = 6;
  /// Different ones.
  static constexpr std::size_t messages_max = 64 * message_words;
  using Local = LocalState<M>;
  struct State {
    std::array<std::uint32_t, nodes_max> local{};
    std::uint32_t crashes = 0;
    std::array<std::uint64_t, message_words> sent{};
  };

  ClusterModel(const typename M::Config& config, int nodes, int crashes_max, Rules rules,
               Disks disks = Disks::in_their_time)
      : config_(config),
        nodes_(nodes),
        crashes_max_(crashes_max),
        rules_(std::move(rules)),
        disks_(disks) {
    assert(nodes <= nodes_max);
  }

  template <typename Visit>
  void initial(Visit&& visit) {
    State state;
    for (NodeIndex i = 0; i < nodes_; ++i)
      state.local[i] = name_of(Local{M(config_, i, {}), {}, {}, {}, 0});
    visit(state);
  }

  template <typename Visit>
  void successors(const State& state, Visit&& visit) {
    for (NodeIndex i = 0; i < nodes_; ++i) {
      const auto local = state.local[i];
      const auto commands = rules_.commands(locals_[local].machine);
      for (std::size_t c = 0; c < commands.size(); ++c)
        take(state, i,
             effect(local, command_inputs + c,
                    [&](Local& node, auto& out) { node.machine.propose(commands[c], out); }),
             visit);
      take(state, i,
           effect(local, tick_input, [](Local& node, auto& out) { node.machine.tick(out); }),
           visit);
      if (!locals_[local].writes.empty())
        take(state, i, effect(local, write_input, complete_write), visit);
      if (state.crashes < crashes_max_) crash(state, i, visit);
      for (std::size_t word = 0; word < message_words; ++word)
        for (auto bits = state.sent[word] & sent_to_[i][word]; bits != 0; bits &= bits - 1) {
          const auto message = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
          take(state, i,
               effect(local, message_inputs + message,
                      [&](Local& node, auto& out) { node.machine.step(messages_[message], out); }),
               visit);
        }
    }
  }

  [[nodiscard]] std::uint64_t fingerprint(const State& state) const noexcept {
    std::uint64_t hash = state.crashes + 1;
    for (NodeIndex i = 0; i < nodes_; ++i) hash = transport::mixed(hash * 31 + state.local[i]);
    for (const auto word : state.sent) hash = transport::mixed(hash ^ word) + word;
    return transport::mixed(hash);
  }

  [[nodiscard]] std::string check(const State& state) const {
    std::array<const Local*, nodes_max> nodes{};
    for (NodeIndex i = 0; i < nodes_; ++i) nodes[i] = &locals_[state.local[i]];
    return rules_.check(std::span(nodes).first(static_cast<std::size_t>(nodes_)));
  }

  /// Distinct states of single nodes, and distinct messages.
  [[nodiscard]] std::size_t local_states() const noexcept { return locals_.size(); }
  [[nodiscard]] std::size_t messages() const noexcept { return messages_.size(); }

 private:
  static constexpr std::uint64_t tick_input = 0;
  static constexpr std::uint64_t write_input = 1;
  static constexpr std::uint64_t crash_inputs = 8;
  static constexpr std::uint64_t command_inputs = 64;
  static constexpr std::uint64_t message_inputs = 128;
  struct Effect {
    std::uint32_t local = 0;
    std::vector<std::uint16_t> sent;
  };

  template <typename Visit>
  void take(const State& state, NodeIndex i, const Effect& effect, Visit&& visit) {
    if constexpr (requires { rules_.is_within(locals_[effect.local].machine); })
      if (!rules_.is_within(locals_[effect.local].machine)) return;
    State next = state;
    next.local[i] = effect.local;
    if (next.local[i] != state.local[i]) bury(next, i);
    for (const auto message : effect.sent)
      if (!is_dead(message, next)) next.sent[message / 64] |= std::uint64_t{1} << message % 64;
    if (next.local[i] != state.local[i] || next.sent != state.sent) visit(next);
  }

  [[nodiscard]] bool is_dead(std::size_t message, const State& state) const {
    if constexpr (requires { rules_.is_dead(messages_[0].message, locals_[0].machine); }) {
      const auto& envelope = messages_[message];
      const auto to = static_cast<std::size_t>(envelope.to);
      return rules_.is_dead(envelope.message, locals_[state.local[to]].machine);
    }
    return false;
  }

  /// Forgets the messages to node `i` that are dead.
  void bury(State& state, NodeIndex i) const {
    if constexpr (requires { rules_.is_dead(messages_[0].message, locals_[0].machine); })
      for (std::size_t word = 0; word < message_words; ++word)
        for (auto bits = state.sent[word] & sent_to_[i][word]; bits != 0; bits &= bits - 1)
          if (is_dead(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)), state))
            state.sent[word] &= ~(bits & -bits);
  }

  /// After a crash that kept 0, 1, … of the writes under way.
  template <typename Visit>
  void crash(const State& state, NodeIndex i, Visit&& visit) {
    const auto local = state.local[i];
    const auto writes = locals_[local].writes.size();
    for (std::size_t kept = 0; kept <= writes; ++kept) {
      State next = state;
      ++next.crashes;
      next.local[i] = effect(local, crash_inputs + kept, [&](Local& node, auto&) {
                        for (std::size_t w = 0; w < kept; ++w) write(node, node.writes[w]);
                        node = Local{M(config_, i, node.disk), node.disk, {}, {}, 0};
                      }).local;
      bury(next, i);
      visit(next);
    }
  }

  static void write(Local& node, const typename Local::Write& write) {
    M::apply(node.disk.durable, write.record);
    node.disk.state = Recovered<typename M::Durable>::State::valid;
  }

  static void complete_write(Local& node, typename M::Output& out) {
    const auto done = node.writes.front();
    node.writes.erase(node.writes.begin());
    write(node, done);
    node.durable = done.token;
    node.machine.persisted(done.token, out);
  }

  /// What `input` does to a node, computed at its first time.
  template <typename Act>
  const Effect& effect(std::uint32_t local, std::uint64_t input, Act&& act) {
    const auto [place, is_new] = effects_.try_emplace((std::uint64_t{local} << 16) | input);
    if (!is_new) return place->second;
    auto node = locals_[local];
    out_.clear();
    act(node, out_);
    Effect result;
    obey(node, result);
    while (disks_ == Disks::at_once && !node.writes.empty()) {
      out_.clear();
      complete_write(node, out_);
      obey(node, result);
    }
    result.local = name_of(node);
    return effects_[(std::uint64_t{local} << 16) | input] = std::move(result);
  }

  /// Does what the node has said in `out_`.
  void obey(Local& node, Effect& result) {
    if (out_.persist) node.writes.push_back({*out_.persist, out_.token});
    for (const auto& envelope : out_.now) result.sent.push_back(message_number(envelope));
    for (const auto& envelope : out_.after_persist) hold(node, {out_.token, envelope});
    while (!node.held.empty() && node.held.front().token <= node.durable) {
      result.sent.push_back(message_number(node.held.front().envelope));
      node.held.erase(node.held.begin());
    }
  }

  /// Once is enough where the network doubles at will.
  static void hold(Local& node, const typename Local::Held& held) {
    if (std::find(node.held.begin(), node.held.end(), held) == node.held.end())
      node.held.push_back(held);
  }

  std::uint32_t name_of(const Local& node) {
    Hasher hasher;
    hasher.add(node.machine.hash());
    hasher.add(node.writes.size());
    hasher.add(node.held.size());
    hasher.add(node.durable);
    auto& bucket = local_names_[hasher.value()];
    for (const auto name : bucket)
      if (locals_[name] == node) return name;
    bucket.push_back(static_cast<std::uint32_t>(locals_.size()));
    locals_.push_back(node);
    return bucket.back();
  }

  std::uint16_t message_number(const Envelope<typename M::Message>& envelope) {
    for (std::size_t i = 0; i < messages_.size(); ++i)
      if (messages_[i] == envelope) return static_cast<std::uint16_t>(i);
    messages_.push_back(envelope);
    // Beyond the room the last one stands for all: messages() tells that the result is void.
    const auto number = std::min(messages_.size(), messages_max) - 1;
    sent_to_[envelope.to][number / 64] |= std::uint64_t{1} << number % 64;
    return static_cast<std::uint16_t>(number);
  }

  typename M::Config config_;
  int nodes_;
  std::uint32_t crashes_max_;
  Rules rules_;
  Disks disks_;
  typename M::Output out_;
  std::deque<Local> locals_;
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> local_names_;
  std::unordered_map<std::uint64_t, Effect> effects_;
  std::deque<Envelope<typename M::Message>> messages_;
  std::array<std::array<std::uint64_t, message_words>, nodes_max> sent_to_{};
};

}  // namespace cairn::consensus
