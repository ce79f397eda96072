/// Sockets that never block and never raise a signal.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "cairn/transport/tcp_mesh.hpp"

namespace cairn::transport::tcp {

/// Owns a descriptor.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int descriptor) noexcept : descriptor_(descriptor) {}
  ~Socket() { close(); }
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    if (this != &other) {
      close();
      descriptor_ = std::exchange(other.descriptor_, -1);
    }
    return *this;
  }

  [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  void close() noexcept;

 private:
  int descriptor_ = -1;
};

/// What came of an attempt to move bytes.
struct Moved {
  enum class State : unsigned char { some, later, closed };
  State state = State::later;
  std::size_t bytes = 0;
};

[[nodiscard]] Moved receive(const Socket& socket, std::span<std::byte> room) noexcept;
[[nodiscard]] Moved send(const Socket& socket, std::span<const std::byte> bytes) noexcept;

/// An address as the system knows it.
struct Address {
  sockaddr_storage storage = {};
  socklen_t length = 0;
};

/// All addresses of an endpoint. May wait for name servers.
/// @throws Error{Errc::no_input} for an unknown host
[[nodiscard]] std::vector<Address> resolve(const TcpEndpoint& endpoint);

/// A socket that listens there. @throws Error{Errc::unavailable}
[[nodiscard]] Socket listen_at(const TcpEndpoint& endpoint);
[[nodiscard]] std::uint16_t port_of(const Socket& socket);

/// The next caller, or a closed socket when there is none.
[[nodiscard]] Socket accept_next(const Socket& listener) noexcept;

/// A connection that is being made; a closed socket when that fails at once.
[[nodiscard]] Socket begin_connect(const Address& address) noexcept;
/// Whether a connection that was being made is there; only meaningful when it is writable.
[[nodiscard]] bool has_connected(const Socket& socket) noexcept;

/// No delay of small frames; the kernel gives up on a peer after so much silence.
void tune(const Socket& socket, std::chrono::milliseconds silence_max) noexcept;

}  // namespace cairn::transport::tcp
