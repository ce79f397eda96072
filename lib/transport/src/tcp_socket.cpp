#include "tcp_socket.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "cairn/core/error.hpp"

namespace cairn::transport::tcp {

namespace {

constexpr int backlog = 128;

struct FreeAddresses {
  void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};

std::string describe(const TcpEndpoint& endpoint) {
  return endpoint.host + " port " + std::to_string(endpoint.port);
}

void set(const Socket& socket, int level, int option, int value) noexcept {
  // What a system does not know is not needed for correctness.
  (void)setsockopt(socket.descriptor(), level, option, &value, sizeof value);
}

const sockaddr* view(const Address& address) noexcept {
  return reinterpret_cast<const sockaddr*>(&address.storage);
}

Moved moved(ssize_t result) noexcept {
  using State = Moved::State;
  if (result > 0) return {State::some, static_cast<std::size_t>(result)};
  if (result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return {State::later};
  return {State::closed};
}

}  // namespace

void Socket::close() noexcept {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

Moved receive(const Socket& socket, std::span<std::byte> room) noexcept {
  ssize_t result = 0;
  do result = ::recv(socket.descriptor(), room.data(), room.size(), MSG_DONTWAIT);
  while (result < 0 && errno == EINTR);
  return moved(result);
}

Moved send(const Socket& socket, std::span<const std::byte> bytes) noexcept {
  ssize_t result = 0;
  do result = ::send(socket.descriptor(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  while (result < 0 && errno == EINTR);
  return moved(result);
}

std::vector<Address> resolve(const TcpEndpoint& endpoint) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int failure =
      getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &list);
  const std::unique_ptr<addrinfo, FreeAddresses> owner(list);
  if (failure != 0) throw Error(Errc::no_input, describe(endpoint) + ": " + gai_strerror(failure));
  std::vector<Address> addresses;
  for (const auto* item = list; item != nullptr; item = item->ai_next) {
    Address address;
    std::memcpy(&address.storage, item->ai_addr, item->ai_addrlen);
    address.length = item->ai_addrlen;
    addresses.push_back(address);
  }
  return addresses;
}

Socket listen_at(const TcpEndpoint& endpoint) {
  int failure = 0;
  for (const auto& address : resolve(endpoint)) {
    Socket socket(
        ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.is_open()) {
      set(socket, SOL_SOCKET, SO_REUSEADDR, 1);  // a node that comes back finds its port
      if (::bind(socket.descriptor(), view(address), address.length) == 0 &&
          ::listen(socket.descriptor(), backlog) == 0)
        return socket;
    }
    failure = errno;
  }
  throw Error(Errc::unavailable,
              "cannot listen at " + describe(endpoint) + ": " + std::strerror(failure));
}

std::uint16_t port_of(const Socket& socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  check_posix(::getsockname(socket.descriptor(), reinterpret_cast<sockaddr*>(&storage), &length),
              "getsockname");
  std::uint16_t port = 0;
  // In sockaddr_in and sockaddr_in6 alike the port stands behind the family.
  std::memcpy(&port, reinterpret_cast<const char*>(&storage) + offsetof(sockaddr_in, sin_port),
              sizeof port);
  return ntohs(port);
}

Socket accept_next(const Socket& listener) noexcept {
  int descriptor = -1;
  do descriptor = ::accept4(listener.descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  while (descriptor < 0 && (errno == EINTR || errno == ECONNABORTED));
  return Socket(descriptor);
}

Socket begin_connect(const Address& address) noexcept {
  Socket socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return socket;
  const int result = ::connect(socket.descriptor(), view(address), address.length);
  // After EINTR the connection goes on being made, as after EINPROGRESS.
  if (result < 0 && errno != EINPROGRESS && errno != EINTR) socket.close();
  return socket;
}

bool has_connected(const Socket& socket) noexcept {
  int failure = 0;
  socklen_t length = sizeof failure;
  if (::getsockopt(socket.descriptor(), SOL_SOCKET, SO_ERROR, &failure, &length) != 0 ||
      failure != 0)
    return false;
  // A caller of a local port where nobody listens may get that port as its own, and so itself.
  sockaddr_storage here{};
  sockaddr_storage there{};
  socklen_t here_length = sizeof here;
  socklen_t there_length = sizeof there;
  if (::getsockname(socket.descriptor(), reinterpret_cast<sockaddr*>(&here), &here_length) != 0 ||
      ::getpeername(socket.descriptor(), reinterpret_cast<sockaddr*>(&there), &there_length) != 0)
    return false;
  return here_length != there_length || std::memcmp(&here, &there, here_length) != 0;
}

void tune(const Socket& socket, std::chrono::milliseconds silence_max) noexcept {
  const auto milliseconds = static_cast<int>(silence_max.count());
  const int probes = 4;
  const int seconds = std::max(1, milliseconds / 1000 / (probes + 1));
  set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, milliseconds);
  set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(socket, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
  set(socket, IPPROTO_TCP, TCP_KEEPINTVL, seconds);
  set(socket, IPPROTO_TCP, TCP_KEEPCNT, probes);
}

}  // namespace cairn::transport::tcp
