/// What a machine asks of its driver, and what it is told when it starts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "cairn/transport/bounded.hpp"
#include "cairn/transport/envelope.hpp"

namespace cairn::consensus {

using transport::Bounded;
using transport::Envelope;
using transport::NodeIndex;

/// Names a write of one life of a machine: 1, 2, 3, … 0 is what was durable when it started.
using PersistToken = std::uint32_t;

/// The answer of a machine to one input. The driver
///  1. begins to write `persist`, if it is there, under the name `token`; writes complete in order;
///  2. sends `now`;
///  3. keeps `after_persist` until the write `token` is durable (at once if it already is), sends
///     them, and calls `persisted(token)`, once per write;
///  4. hands `events` to the application.
/// Whatever the driver holds back is lost when the node crashes.
template <typename Record_, typename Message_, typename Event_, std::size_t messages_max,
          std::size_t events_max = 4>
struct Output {
  using Record = Record_;
  using Message = Message_;
  using Event = Event_;

  std::optional<Record> persist;
  PersistToken token = 0;  ///< that `after_persist` waits for, also when `persist` is empty
  Bounded<Envelope<Message>, messages_max> after_persist;
  Bounded<Envelope<Message>, messages_max> now;
  Bounded<Event, events_max> events;

  void clear() noexcept {
    persist.reset();
    token = 0;
    after_persist.clear();
    now.clear();
    events.clear();
  }
};

/// What stood on the disk when a machine starts.
template <typename Durable>
struct Recovered {
  enum class State : std::uint8_t {
    blank,      ///< nothing was ever written
    valid,      ///< `durable` is what was last written
    unreadable  ///< torn, stale or damaged: the machine must abstain, since it may have promised
  };
  State state = State::blank;
  Durable durable{};
};

}  // namespace cairn::consensus
