/// Nodes on loopback in one process, and strangers that call them.
#pragma once

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cairn/transport/tcp_transport.hpp"
#include "tcp_handshake.hpp"

namespace tcp_test {

using namespace cairn::transport;

struct Note {
  std::uint64_t number = 0;
  std::array<std::uint64_t, 20> words = {};
  friend bool operator==(const Note&, const Note&) = default;
};

inline Note note(std::uint64_t number) {
  Note result{.number = number};
  for (std::size_t i = 0; i < result.words.size(); ++i) result.words[i] = number * 31 + i;
  return result;
}

using Node = TcpTransport<Note>;
static_assert(Transport<Node, Note>);

inline TcpSecret secret() { return TcpSecret::from_text("a secret of these tests"); }

/// Times that suit tests: nothing is asserted about them.
inline TcpOptions options(const std::string& host = "127.0.0.1", std::uint16_t port = 0) {
  TcpOptions result;
  result.bind = {host, port};
  result.retry_first = std::chrono::milliseconds(1);
  result.retry_max = std::chrono::milliseconds(20);
  return result;
}

/// A job of n nodes whose messages pile up in `heard`.
class Nodes {
 public:
  explicit Nodes(int count, const TcpOptions& with = options()) : with_(with), heard(count) {
    for (NodeIndex i = 0; i < count; ++i)
      nodes.push_back(std::make_unique<Node>(i, secret(), with_));
    for (const auto& node : nodes) endpoints.push_back(node->mesh().endpoint());
    for (auto& node : nodes) node->mesh().start(endpoints);
  }

  Node& operator[](int i) { return *nodes[static_cast<std::size_t>(i)]; }
  TcpMesh& mesh(int i) { return (*this)[i].mesh(); }
  const TcpCounts& counts(int i) { return mesh(i).counts(); }
  void kill(int i) { nodes[static_cast<std::size_t>(i)].reset(); }
  /// Comes back at its old address, with nothing in its memory.
  void revive(int i) {
    auto again = with_;
    again.bind = endpoints[static_cast<std::size_t>(i)];
    nodes[static_cast<std::size_t>(i)] = std::make_unique<Node>(i, secret(), again);
    mesh(i).start(endpoints);
  }

  void send(int from, int to, std::uint64_t number) {
    (*this)[from].offer({.from = from, .to = to, .message = note(number)});
  }

  void poll() {
    std::array<Envelope<Note>, 16> room;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (!nodes[i]) continue;
      const auto count = nodes[i]->poll(room);
      heard[i].insert(heard[i].end(), room.begin(), room.begin() + count);
    }
  }

  /// Polls until it holds; the test's timeout bounds it.
  template <typename Condition>
  void until(Condition&& holds) {
    while (!holds()) {
      poll();
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

  void connect_all() {
    until([&] {
      for (std::size_t i = 0; i < nodes.size(); ++i)
        for (std::size_t j = 0; j < nodes.size(); ++j)
          if (i != j && nodes[i] && nodes[j] &&
              (!nodes[i]->mesh().is_connected_to(static_cast<NodeIndex>(j)) ||
               !nodes[j]->mesh().is_connected_from(static_cast<NodeIndex>(i))))
            return false;
      return true;
    });
  }

  [[nodiscard]] bool has_heard(int to, int from, std::uint64_t number) const {
    for (const auto& envelope : heard[static_cast<std::size_t>(to)])
      if (envelope == Envelope<Note>{from, to, note(number)}) return true;
    return false;
  }

 private:
  TcpOptions with_;

 public:
  std::vector<std::unique_ptr<Node>> nodes;
  std::vector<TcpEndpoint> endpoints;
  std::vector<std::vector<Envelope<Note>>> heard;
};

/// A socket of somebody who does not use our code. It calls 127.0.0.1.
class Stranger {
 public:
  explicit Stranger(std::uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
    is_connected = call(port);
  }
  explicit Stranger(int descriptor, bool connected)
      : is_connected(connected), descriptor_(descriptor) {}
  ~Stranger() { hang_up(); }
  Stranger(Stranger&& other) noexcept
      : is_connected(other.is_connected), descriptor_(std::exchange(other.descriptor_, -1)) {}
  Stranger& operator=(Stranger&&) = delete;

  bool call(std::uint16_t port) const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  void hang_up() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }
  void say(std::span<const std::byte> bytes) const {
    (void)::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  void say(std::string_view text) const { say(std::as_bytes(std::span(text))); }

  /// What there is to hear now; nothing when there is nothing.
  [[nodiscard]] std::vector<std::byte> hear() {
    std::vector<std::byte> bytes(65536);
    const auto got = ::recv(descriptor_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) is_connected = false;
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return bytes;
  }
  /// The other end has closed.
  [[nodiscard]] bool is_cut_off() {
    (void)hear();
    return !is_connected;
  }

  bool is_connected = false;

 private:
  int descriptor_;
};

/// One who knows the secret and speaks as node `from`, byte by byte.
class Insider {
 public:
  Insider(Nodes& nodes, NodeIndex from, NodeIndex to)
      : wire(nodes.endpoints[static_cast<std::size_t>(to)].port) {
    hello = tcp::encode({.from = from,
                         .to = to,
                         .nodes = static_cast<std::uint32_t>(nodes.nodes.size()),
                         .frame_bytes_max = sizeof(Note),
                         .nonce = tcp::random_nonce()},
                        secret());
    wire.say(hello);
    tcp::WelcomeBytes answer{};
    std::size_t got = 0;
    nodes.until([&] {
      const auto bytes = wire.hear();
      const auto part = std::min(bytes.size(), answer.size() - got);  // it says no more than this
      CHECK(part == bytes.size());
      std::copy_n(bytes.begin(), part, answer.begin() + static_cast<std::ptrdiff_t>(got));
      got += part;
      return got == answer.size() || !wire.is_connected;
    });
    const auto decoded = tcp::decode(answer, hello, secret());
    REQUIRE(decoded);
    nonce = *decoded;
    session = tcp::Session(hello, nonce, secret());
  }
  void prove() const { wire.say(tcp::proof(hello, nonce, secret())); }

  /// The next frame of its session, as bytes.
  [[nodiscard]] std::vector<std::byte> frame(std::span<const std::byte> payload) {
    std::vector<std::byte> bytes(tcp::frame_head_bytes);
    tcp::put_u32(bytes.data(), static_cast<std::uint32_t>(payload.size()));
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    const auto tag = session.next_tag(payload);
    bytes.insert(bytes.end(), tag.begin(), tag.end());
    return bytes;
  }
  [[nodiscard]] std::vector<std::byte> frame(std::uint64_t number) {
    const auto message = note(number);
    return frame(std::as_bytes(std::span(&message, 1)));
  }

  Stranger wire;
  tcp::HelloBytes hello{};
  tcp::Nonce nonce{};
  tcp::Session session;
};

/// Node 0, and an insider that has shown what it knows in the place of node 1.
struct Duo {
  Duo() {
    nodes.kill(1);
    insider.emplace(nodes, 1, 0);
    insider->prove();
  }
  Insider* operator->() { return &*insider; }
  void say(std::span<const std::byte> bytes) const { insider->wire.say(bytes); }
  void until_heard(std::uint64_t number) {
    nodes.until([&] { return nodes.has_heard(0, 1, number); });
  }
  void until_cut_off() {
    nodes.until([&] { return insider->wire.is_cut_off(); });
  }

  Nodes nodes{2};
  std::optional<Insider> insider;
};

}  // namespace tcp_test
