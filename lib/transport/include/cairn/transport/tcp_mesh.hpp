/// One node's sockets to all others: bytes in bounded frames, authenticated, never blocking.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/transport/envelope.hpp"

namespace cairn::transport {

/// Where a node listens.
struct TcpEndpoint {
  std::string host = "127.0.0.1";  ///< a name, or an IPv4 or IPv6 address without brackets
  std::uint16_t port = 0;          ///< 0: the system chooses one when it is bound

  friend bool operator==(const TcpEndpoint&, const TcpEndpoint&) = default;
};

/// What all nodes of a job know and nobody else. Wiped when it goes.
class TcpSecret {
 public:
  static constexpr std::size_t size_bytes = 32;
  using Bytes = std::array<std::byte, size_bytes>;

  /// Fresh random bytes, to be handed to the other nodes by a way that others cannot read.
  [[nodiscard]] static TcpSecret random();
  /// The digest of a text. It is as hard to guess as the text: whoever has heard a handshake can
  /// try words for as long as he likes. @throws Error{Errc::usage} for fewer than 16 bytes
  [[nodiscard]] static TcpSecret from_text(std::string_view text);
  explicit TcpSecret(const Bytes& bytes) noexcept : bytes_(bytes) {}
  ~TcpSecret();
  TcpSecret(const TcpSecret&) = default;
  TcpSecret& operator=(const TcpSecret&) = default;

  [[nodiscard]] const Bytes& bytes() const noexcept { return bytes_; }

 private:
  Bytes bytes_;
};

/// Knobs of a mesh; the defaults fit a cluster and messages of a few hundred bytes.
struct TcpOptions {
  TcpEndpoint bind = {};                              ///< where this node listens
  std::size_t frame_bytes_max = 4096;                 ///< of a payload; equal on all nodes
  std::size_t queue_frames = 64;                      ///< waiting for a peer; the oldest gives way
  std::chrono::milliseconds handshake_timeout{2000};  ///< of a connection that does not get on
  std::chrono::milliseconds retry_first{20};          ///< after a failure; doubled each time …
  std::chrono::milliseconds retry_max{2000};          ///< … up to this
  std::chrono::milliseconds silence_max{10000};       ///< bytes unacknowledged: the peer is gone
  int strangers_max = 32;  ///< connections that have not shown the secret; the oldest gives way
  std::function<void(const std::string&)> warn = {};  ///< called inside poll, once per kind
};

/// What has happened since the start.
struct TcpCounts {
  std::uint64_t offered = 0;     ///< messages, valid or not
  std::uint64_t dropped = 0;     ///< messages: the queue was full, or no such node or size
  std::uint64_t sent = 0;        ///< frames that were given to the kernel
  std::uint64_t received = 0;    ///< frames that were handed out
  std::uint64_t connected = 0;   ///< handshakes that ended well, as the one who called
  std::uint64_t accepted = 0;    ///< … as the one who was called
  std::uint64_t refused = 0;     ///< showed no knowledge of the secret, or another shape of job
  std::uint64_t bad_frames = 0;  ///< oversize, altered, replayed or reordered: closed
  std::uint64_t timeouts = 0;    ///< handshakes that did not get on
  std::uint64_t evicted = 0;     ///< strangers that gave way to newer ones
  std::uint64_t hung_up = 0;     ///< strangers that left before the end of the handshake
  std::uint64_t failed_connects = 0;   ///< nobody there, or closed before the end of the handshake
  std::uint64_t lost_connections = 0;  ///< that had been good

  friend bool operator==(const TcpCounts&, const TcpCounts&) = default;
};

/// Carries frames between the nodes 0 … n-1 of a job. One connection per direction of each pair:
/// the sender calls, so nobody has to decide which of two connections counts.
///
///     caller                                listener
///       │ hello: who, to whom, nonce, tag ────▶ │   tag wrong: closed without a word
///       │ ◀──────────────────────── nonce, tag  │
///       │ tag ────────────────────────────────▶ │   takes the place of an older connection
///       │ length, payload, tag(number) ───────▶ │   tag wrong: closed
///
/// Local: every function returns at once, whatever the peers do; only start() and move_peer() may
/// look up names. Memory is bounded, and taken by start(). Not thread-safe; two meshes share
/// nothing. Frames are authenticated, not encrypted.
///
/// Protocol: FORMAT.md.
class TcpMesh {
 public:
  /// Binds and listens.
  /// @throws Error{Errc::usage} for options that make no sense; unavailable when it cannot be bound
  TcpMesh(NodeIndex self, const TcpSecret& secret, const TcpOptions& options = {});
  ~TcpMesh();
  TcpMesh(TcpMesh&&) noexcept;
  TcpMesh& operator=(TcpMesh&&) noexcept;

  /// Where this node listens, with the port that the system chose: to be told to the others.
  [[nodiscard]] const TcpEndpoint& endpoint() const noexcept;

  /// Begins to speak. Looks names up, which may take its time. Called once.
  /// @param endpoints  of all nodes, in their order; the own one is not used
  /// @throws Error{Errc::usage} when `self` is not among them; no_input for an unknown host;
  /// nothing
  ///         has begun then, and it may be called again
  void start(std::span<const TcpEndpoint> endpoints);

  /// A peer has come back elsewhere. @throws as start()
  void move_peer(NodeIndex peer, const TcpEndpoint& endpoint);

  /// Queues a frame; the oldest waiting one gives way. False when it was not taken.
  bool offer(NodeIndex to, std::span<const std::byte> payload) noexcept;

  /// Accepts, connects, sends; everything that is due and does not block.
  void progress() noexcept;

  struct Frame {
    NodeIndex from = 0;                       ///< who has proved to be of the job, by its own word
    std::span<const std::byte> payload = {};  ///< until the next call
  };
  /// The next frame that has come, taking turns between the peers.
  [[nodiscard]] std::optional<Frame> take() noexcept;

  /// Whether frames to this peer go out now.
  [[nodiscard]] bool is_connected_to(NodeIndex peer) const noexcept;
  /// Whether frames of this peer can come now.
  [[nodiscard]] bool is_connected_from(NodeIndex peer) const noexcept;
  [[nodiscard]] const TcpCounts& counts() const noexcept;
  [[nodiscard]] int nodes() const noexcept;
  [[nodiscard]] NodeIndex self() const noexcept;

  /// An epoll descriptor, readable when progress() has something to do: for programs that have
  /// nothing else to do than to wait. Retries are due without it: wait a tick at most.
  [[nodiscard]] int descriptor() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cairn::transport
