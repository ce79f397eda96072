/// Connections of those who call this node.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "tcp_handshake.hpp"
#include "tcp_outgoing.hpp"
#include "tcp_socket.hpp"

namespace cairn::transport::tcp {

/// A caller that has not shown yet that it knows the secret: it gets 96 bytes of memory and a
/// deadline, and is read no further than the handshake goes.
class Stranger {
 public:
  enum class Verdict : unsigned char { pending, gone, known };

  /// @param deadline  of the whole handshake, however slowly it is spoken
  void begin(Socket socket, Clock::time_point deadline) noexcept;
  void end() noexcept { socket_.close(); }

  /// Reads and answers. After `known`, claim() is who it is; after `gone` it is to be ended.
  [[nodiscard]] Verdict on_ready(Shared& shared) noexcept;

  [[nodiscard]] bool is_there() const noexcept { return socket_.is_open(); }
  [[nodiscard]] Clock::time_point deadline() const noexcept { return deadline_; }
  [[nodiscard]] NodeIndex claim() const noexcept { return from_; }
  [[nodiscard]] Session session(const TcpSecret& secret) const noexcept {
    return {hello_, nonce_, secret};
  }
  [[nodiscard]] const Socket& socket() const noexcept { return socket_; }
  [[nodiscard]] Socket release() noexcept { return std::move(socket_); }

 private:
  [[nodiscard]] Verdict on_hello(Shared& shared) noexcept;
  [[nodiscard]] Verdict on_proof(Shared& shared) noexcept;
  [[nodiscard]] static Verdict refuse(Shared& shared) noexcept;

  Socket socket_;
  Clock::time_point deadline_ = {};
  bool has_greeted_ = false;
  HelloBytes hello_{};
  Tag proof_{};
  std::size_t heard_ = 0;  // of hello_, then of proof_
  Nonce nonce_{};
  NodeIndex from_ = 0;
};

/// Frames of one peer.
class Incoming {
 public:
  explicit Incoming(const Shared& shared);

  void begin(Socket socket, Session session) noexcept;
  void end() noexcept;

  /// The next frame, whole and checked; its bytes are good until the next call.
  [[nodiscard]] std::optional<std::span<const std::byte>> take(Shared& shared) noexcept;
  void on_ready() noexcept { may_have_more_ = true; }
  [[nodiscard]] const Socket& socket() const noexcept { return socket_; }

 private:
  enum class Parsed : unsigned char { frame, incomplete, bad };
  [[nodiscard]] Parsed parse(const Shared& shared, std::span<const std::byte>& payload) noexcept;

  Socket socket_;
  Session session_;
  bool may_have_more_ = false;     // in the kernel
  std::vector<std::byte> buffer_;  // [begin_, end_) has come and is not taken
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace cairn::transport::tcp
