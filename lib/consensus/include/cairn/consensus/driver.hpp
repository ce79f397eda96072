/// Runs a machine: carries its messages, does its writes, counts its time.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <utility>

#include "cairn/consensus/machine.hpp"
#include "cairn/transport/transport.hpp"

namespace cairn::consensus {

/// Where a machine's records go. `begin` starts a write, or does it; writes complete in order;
/// `durable` is the last token that is complete, 0 at the start; `recovered` is what stood there.
template <typename P, typename M>
concept Persistence = requires(P persistence, const P& view, const typename M::Record& record,
                               PersistToken token) {
  persistence.begin(record, token);
  { view.durable() } -> std::same_as<PersistToken>;
  { view.recovered() } -> std::convertible_to<Recovered<typename M::Durable>>;
};

/// Records in memory: for protocols whose nodes never come back.
template <Machine M>
class MemoryPersistence {
 public:
  void begin(const typename M::Record& record, PersistToken token) {
    M::apply(kept_, record);
    durable_ = token;
  }
  [[nodiscard]] PersistToken durable() const noexcept { return durable_; }
  [[nodiscard]] Recovered<typename M::Durable> recovered() const { return {}; }

 private:
  typename M::Durable kept_{};
  PersistToken durable_ = 0;
};

/// Runs a machine over a transport, which outlives it. Local; nothing blocks but the persistence.
///
/// Where a write throws, its Error comes out of the call and nothing is durable any more, so that
/// what waits for it is never said: the driver is to be given up.
template <Machine M, typename Transport, Persistence<M> P = MemoryPersistence<M>>
requires transport::Transport<Transport, typename M::Message>
class Driver {
 public:
  using Clock = std::chrono::steady_clock;

  /// @param tick  time between two ticks of the machine
  Driver(const typename M::Config& config, NodeIndex self, Transport& transport,
         std::chrono::nanoseconds tick, P persistence = {})
      : transport_(&transport),
        persistence_(std::move(persistence)),
        machine_(config, self, persistence_.recovered()),
        interval_(tick),
        next_tick_(Clock::now() + tick) {}

  void propose(const typename M::Command& command) {
    machine_.propose(command, out_);
    carry_out();
  }

  /// One look: messages that have come, writes that are complete, a tick if it is due. Returns
  /// whether a message had come.
  bool step_once() {
    const auto count = transport_->poll(room_);
    for (std::size_t i = 0; i < count; ++i) {
      machine_.step(room_[i], out_);
      carry_out();
    }
    settle();
    if (const auto now = Clock::now(); now >= next_tick_) {
      next_tick_ = now + interval_;  // ticks that were missed are not made up for
      machine_.tick(out_);
      carry_out();
    }
    return count > 0;
  }

  /// The next thing that the machine has to say to the application.
  [[nodiscard]] std::optional<typename M::Event> take_event() {
    if (events_.empty()) return std::nullopt;
    auto event = events_.front();
    events_.pop_front();
    return event;
  }

  [[nodiscard]] const M& machine() const noexcept { return machine_; }

 private:
  using Message = typename M::Message;
  struct Held {
    PersistToken token;
    Envelope<Message> envelope;
  };
  static constexpr std::size_t held_max = 1024;  // those of a disk that hangs; the oldest give way

  void carry_out() {
    absorb();
    settle();
  }

  /// What need not wait goes out before the write, which may take its time.
  void absorb() {
    for (const auto& envelope : out_.now) transport_->offer(envelope);
    for (const auto& envelope : out_.after_persist) held_.push_back({out_.token, envelope});
    while (held_.size() > held_max) held_.pop_front();
    for (const auto& event : out_.events) events_.push_back(event);
    const auto record = out_.persist;
    const auto token = out_.token;
    out_.clear();
    if (record) persistence_.begin(*record, token);
  }

  void settle() {
    while (true) {
      while (!held_.empty() && held_.front().token <= persistence_.durable()) {
        transport_->offer(held_.front().envelope);
        held_.pop_front();
      }
      if (told_ >= persistence_.durable()) return;
      machine_.persisted(++told_, out_);
      absorb();
    }
  }

  Transport* transport_;
  P persistence_;
  M machine_;
  std::chrono::nanoseconds interval_;
  Clock::time_point next_tick_;
  PersistToken told_ = 0;
  typename M::Output out_;
  std::array<Envelope<Message>, 16> room_;
  std::deque<Held> held_;
  std::deque<typename M::Event> events_;
};

}  // namespace cairn::consensus
