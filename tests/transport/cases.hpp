/// What every Transport does: one set of cases, over whatever carries the messages.
///
///     struct Net {                       // all nodes of a job, or those of this process
///       explicit Net(int nodes);         // opens it; collective where there are several processes
///       int nodes() const;
///       std::vector<NodeIndex> here();   // the nodes of this process
///       auto& operator[](NodeIndex);     // a Transport of Note, of a node that is here
///       bool all(bool holds);            // whether it holds in all processes; collective
///       void pass();                     // lets time pass: moves a simulated clock, or naps
///       void close();                    // with whatever is under way; collective
///       std::size_t held(NodeIndex);     // optional: messages in the memory of a node's end,
///       std::size_t held_max();          //           … of which there are never more than these
///       static constexpr bool drops_strangers = true;  // optional: offers to node -1 or n are
///       safe static constexpr bool loses_nothing = true;    // optional: a word to each arrives,
///       once
///     };
///     transport_cases::conform<Net>({1, 2, 3});
///
/// A transport may lose, duplicate and reorder, so the cases repeat what they say until it has been
/// heard; nothing is asserted about time. They run in lockstep: every loop asks all().
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "cairn/transport/transport.hpp"

namespace transport_cases {

using cairn::transport::Envelope;
using cairn::transport::NodeIndex;

/// A message that shows any change of its bytes.
struct Note {
  NodeIndex from = 0;
  NodeIndex to = 0;
  std::uint64_t number = 0;
  std::array<std::uint64_t, 20> words{};
  friend bool operator==(const Note&, const Note&) = default;
};

inline Note note(NodeIndex from, NodeIndex to, std::uint64_t number) {
  Note result{.from = from, .to = to, .number = number};
  for (std::size_t i = 0; i < result.words.size(); ++i)
    result.words[i] = number * 0x9e3779b97f4a7c15ULL + i * 31 + static_cast<std::uint64_t>(to);
  return result;
}

inline Envelope<Note> envelope(NodeIndex from, NodeIndex to, std::uint64_t number) {
  return {from, to, note(from, to, number)};
}

/// What the nodes of this process have heard: the highest number by sender, and all of it good.
template <typename Net>
class Ears {
 public:
  explicit Ears(Net& net)
      : net_(net),
        highest_(static_cast<std::size_t>(net.nodes()),
                 std::vector<std::uint64_t>(static_cast<std::size_t>(net.nodes()), 0)) {}

  /// Takes what has come for `node`; returns how much.
  std::size_t listen(NodeIndex node) {
    std::array<Envelope<Note>, 8> room{};
    const auto count = net_[node].poll(room);
    CHECK(count <= room.size());
    for (std::size_t i = 0; i < std::min(count, room.size()); ++i) hear(node, room[i]);
    return count;
  }
  void listen() {
    for (const auto node : net_.here()) listen(node);
  }

  [[nodiscard]] std::uint64_t highest(NodeIndex at, NodeIndex from) const {
    return highest_[static_cast<std::size_t>(at)][static_cast<std::size_t>(from)];
  }
  /// Whether each node of this process has heard `number` from each node.
  [[nodiscard]] bool has_all(std::uint64_t number) const {
    for (const auto at : net_.here())
      for (NodeIndex from = 0; from < net_.nodes(); ++from)
        if (highest(at, from) < number) return false;
    return true;
  }

  /// Numbers below it are of another life of the job and must not be heard.
  std::uint64_t first = 1;

 private:
  void hear(NodeIndex node, const Envelope<Note>& got) {
    const bool is_known = got.from >= 0 && got.from < net_.nodes();
    CHECK(is_known);
    CHECK(got.to == node);
    CHECK(got.message == note(got.from, node, got.message.number));
    CHECK(got.message.number >= first);
    if (!is_known) return;
    auto& highest = highest_[static_cast<std::size_t>(node)][static_cast<std::size_t>(got.from)];
    highest = std::max(highest, got.message.number);
  }

  Net& net_;
  std::vector<std::vector<std::uint64_t>> highest_;
};

template <typename Net>
void say_to_all(Net& net, std::uint64_t number) {
  for (const auto from : net.here())
    for (NodeIndex to = 0; to < net.nodes(); ++to) net[from].offer(envelope(from, to, number));
}

template <typename Net>
void check_memory(Net& net) {
  if constexpr (requires { net.held(0); })
    for (const auto node : net.here()) CHECK(net.held(node) <= net.held_max());
}

/// Repeats `number` to all, and listens, until all have heard it from all.
template <typename Net>
void until_all_have_heard(Net& net, Ears<Net>& ears, std::uint64_t number) {
  for (int round = 0; !net.all(ears.has_all(number)); ++round) {
    if (round % 16 == 0) say_to_all(net, number);
    net.pass();
    ears.listen();
  }
}

/// The end of most cases: all hear the last word, and nothing is left over.
template <typename Net>
void hear_and_close(Net& net, Ears<Net>& ears, std::uint64_t number) {
  until_all_have_heard(net, ears, number);
  check_memory(net);
  net.close();
}

template <typename Net>
void every_node_reaches_every_node_and_itself(int nodes) {
  Net net(nodes);
  Ears<Net> ears(net);
  for (std::uint64_t number = 1; number <= 10; ++number) until_all_have_heard(net, ears, number);
  net.close();
}

template <typename Net>
void nothing_said_nothing_heard(int nodes) {
  Net net(nodes);
  for (int round = 0; round < 100; ++round) {
    for (const auto node : net.here()) {
      std::array<Envelope<Note>, 2> room{};
      CHECK(net[node].poll(room) == 0);
      CHECK(net[node].poll({}) == 0);
    }
    net.pass();
  }
  CHECK(net.all(true));
  net.close();
}

template <typename Net>
constexpr bool loses_nothing() {
  if constexpr (requires { Net::loses_nothing; })
    return Net::loses_nothing;
  else
    return false;
}

/// A look into no room takes nothing away. Where nothing is lost, nothing is repeated: what such a
/// look has taken is waited for until the test's time is out.
template <typename Net>
void no_room_loses_nothing(int nodes) {
  Net net(nodes);
  Ears<Net> ears(net);
  say_to_all(net, 1);
  for (int round = 0; round < 100; ++round) {
    for (const auto node : net.here()) CHECK(net[node].poll({}) == 0);
    net.pass();
  }
  if constexpr (loses_nothing<Net>()) {
    while (!net.all(ears.has_all(1))) {
      net.pass();
      ears.listen();
    }
    for (int round = 0; round < 100; ++round) {
      for (const auto node : net.here()) CHECK(ears.listen(node) == 0);
      net.pass();
    }
  } else {
    until_all_have_heard(net, ears, 1);
  }
  net.close();
}

/// More than anything can hold, to nodes that listen to a part of it: the rest may be dropped, the
/// memory has its bound, and whoever repeats the last word is heard.
template <typename Net>
void much_at_once(int nodes) {
  Net net(nodes);
  Ears<Net> ears(net);
  constexpr std::uint64_t much = 3000;
  for (std::uint64_t number = 1; number <= much; ++number) {
    say_to_all(net, number);
    if (number % 64 != 0) continue;
    check_memory(net);
    net.pass();
    ears.listen();
  }
  hear_and_close(net, ears, much);
}

/// Node 0 does not listen for as long as the others talk to it and with each other.
template <typename Net>
void one_that_does_not_listen_stops_nobody(int nodes) {
  Net net(nodes);
  Ears<Net> ears(net);
  const auto others_have = [&](std::uint64_t number) {
    for (const auto at : net.here())
      for (NodeIndex from = 1; from < net.nodes(); ++from)
        if (at != 0 && ears.highest(at, from) < number) return false;
    return true;
  };
  for (std::uint64_t number = 1; number <= 20; ++number)
    for (int round = 0; !net.all(others_have(number)); ++round) {
      if (round % 16 == 0) say_to_all(net, number);
      net.pass();
      for (const auto node : net.here())
        if (node != 0) ears.listen(node);
      check_memory(net);
    }
  hear_and_close(net, ears, 21);
}

/// Both directions of a pair are full at once.
template <typename Net>
void both_directions_at_once(int nodes) {
  Net net(nodes);
  Ears<Net> ears(net);
  for (std::uint64_t number = 1; number <= 200; ++number) {
    say_to_all(net, number);
    ears.listen();
  }
  hear_and_close(net, ears, 200);
}

/// To somebody who is not there: dropped.
template <typename Net>
void strangers_are_not_reached(int nodes) {
  Net net(nodes);
  Ears<Net> ears(net);
  if constexpr (requires { Net::drops_strangers; })
    for (const auto from : net.here())
      for (const NodeIndex nobody : {-1, net.nodes(), net.nodes() + 1000})
        net[from].offer(envelope(from, nobody, 1));
  hear_and_close(net, ears, 1);
}

/// Closed with words in the air, and unheard ones; the next life of the job hears none of them.
template <typename Net>
void closed_with_messages_under_way(int nodes) {
  for (std::uint64_t life = 1; life <= 5; ++life) {
    Net net(nodes);
    Ears<Net> ears(net);
    ears.first = 1000 * life;
    until_all_have_heard(net, ears, 1000 * life);
    for (std::uint64_t number = 1; number <= 50; ++number) say_to_all(net, 1000 * life + number);
    net.close();
  }
}

/// All cases, for each number of nodes.
template <typename Net>
void conform(std::initializer_list<int> counts) {
  for (const int nodes : counts) {
    CAPTURE(nodes);
    every_node_reaches_every_node_and_itself<Net>(nodes);
    nothing_said_nothing_heard<Net>(nodes);
    no_room_loses_nothing<Net>(nodes);
    much_at_once<Net>(nodes);
    one_that_does_not_listen_stops_nobody<Net>(nodes);
    both_directions_at_once<Net>(nodes);
    strangers_are_not_reached<Net>(nodes);
    closed_with_messages_under_way<Net>(nodes);
  }
}

}  // namespace transport_cases
