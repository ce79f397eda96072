/// Messages over TCP: what must survive the death of a rank, and so cannot go over MPI.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include "cairn/transport/tcp_mesh.hpp"
#include "cairn/transport/transport.hpp"

namespace cairn::transport {

/// A Transport over the sockets of a TcpMesh.
///
///     TcpTransport<Message> transport(self, secret, {.bind = {.host = "10.0.0.7"}});
///     … tell the others transport.mesh().endpoint(), hear theirs …
///     transport.mesh().start(endpoints);
///
/// Messages go as the bytes that they are in memory: all nodes must be of one kind and run one
/// program. They are delivered unaltered, in order and once for as long as a connection lives; what
/// is under way when it breaks is lost. `from` is what the sender has proved, not what it wrote.
template <typename Message>
requires std::is_trivially_copyable_v<Message>
class TcpTransport {
 public:
  /// @throws as TcpMesh
  TcpTransport(NodeIndex self, const TcpSecret& secret, TcpOptions options = {})
      : mesh_(self, secret, sized(std::move(options))) {}

  void offer(const Envelope<Message>& envelope) noexcept {
    std::array<std::byte, sizeof(Message)> bytes;
    std::memcpy(bytes.data(), &envelope.message, sizeof(Message));
    mesh_.offer(envelope.to, bytes);
  }

  /// One look at the sockets, and as many messages as have come and find room.
  std::size_t poll(std::span<Envelope<Message>> room) noexcept {
    mesh_.progress();
    std::size_t taken = 0;
    for (std::size_t looks = 0; looks < room.size(); ++looks) {
      const auto frame = mesh_.take();
      if (!frame) break;
      if (frame->payload.size() != sizeof(Message)) continue;  // of another program
      auto& envelope = room[taken++];
      envelope.from = frame->from;
      envelope.to = self();
      std::memcpy(&envelope.message, frame->payload.data(), sizeof(Message));
    }
    return taken;
  }

  [[nodiscard]] TcpMesh& mesh() noexcept { return mesh_; }
  [[nodiscard]] const TcpMesh& mesh() const noexcept { return mesh_; }
  [[nodiscard]] NodeIndex self() const noexcept { return mesh_.self(); }

 private:
  static TcpOptions sized(TcpOptions options) {
    options.frame_bytes_max = sizeof(Message);
    return options;
  }

  TcpMesh mesh_;
};

}  // namespace cairn::transport
