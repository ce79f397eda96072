/// The connection to one peer, as its caller.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "frame_queue.hpp"
#include "tcp_handshake.hpp"
#include "tcp_socket.hpp"

namespace cairn::transport::tcp {

using Clock = std::chrono::steady_clock;

/// What a mesh knows and its connections use.
struct Shared {
  NodeIndex self = 0;
  std::uint32_t nodes = 0;
  TcpSecret secret;
  TcpOptions options;
  TcpCounts counts = {};
  bool has_warned_caller = false;
  bool has_warned_listener = false;
  void warn(bool& has_warned, const char* text) noexcept;
};

/// Calls, shows that it knows the secret, and sends; calls again when that fails.
///
///     idle ──retry_at──▶ connecting ──▶ welcomed? ──▶ open
///      ▲                     │              │           │
///      └──── back-off ◀──────┴──────────────┴───────────┘
class Outgoing {
 public:
  enum class State : unsigned char { idle, connecting, waiting, open };

  Outgoing(Shared& shared, NodeIndex peer, std::vector<Address> addresses);

  void move_to(std::vector<Address> addresses);
  void offer(std::span<const std::byte> payload) noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] const Socket& socket() const noexcept { return socket_; }

  /// Calls when it is time to; true when there is a new socket to be watched.
  bool call_if_due(Clock::time_point now) noexcept;
  /// Gives up a call that does not get on.
  void expire(Clock::time_point now) noexcept;
  /// The socket may have something to say.
  void on_ready(bool is_writable, Clock::time_point now) noexcept;
  /// Sends what the kernel takes.
  void flush(Clock::time_point now) noexcept;
  /// Whether it waits for the kernel to take more.
  [[nodiscard]] bool wants_to_write() const noexcept {
    return state_ == State::connecting || begin_ < end_;
  }

 private:
  void greet(Clock::time_point now) noexcept;
  void hear_welcome(Clock::time_point now) noexcept;
  void fail(Clock::time_point now) noexcept;
  void stage(std::span<const std::byte> bytes) noexcept;
  void stage_frames() noexcept;

  Shared* shared_;
  NodeIndex peer_;
  std::vector<Address> addresses_;
  std::size_t next_address_ = 0;
  Socket socket_;
  State state_ = State::idle;
  Clock::time_point deadline_ = {};  // of the handshake, or of the next call
  std::chrono::milliseconds back_off_;
  HelloBytes hello_{};
  WelcomeBytes welcome_{};
  std::size_t heard_ = 0;  // bytes of welcome_
  int rebuffs_ = 0;        // greetings in a row that were answered by closing
  Session session_;
  FrameQueue queue_;
  std::vector<std::byte> staged_;  // [begin_, end_) is on its way to the kernel
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace cairn::transport::tcp
