// TcpTransport among strangers: those who do not know the secret, and those who do and cheat.

#include <doctest/doctest.h>

#include <filesystem>
#include <iterator>

#include "tcp_nodes.hpp"

using namespace tcp_test;

namespace {

std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                       std::filesystem::directory_iterator());
}

/// Two nodes go on speaking to each other. What one says to a node that has just died is lost.
void check_health(Nodes& nodes, std::uint64_t number) {
  nodes.until([&] {
    nodes.send(0, 1, number);
    nodes.send(1, 0, number);
    return nodes.has_heard(1, 0, number) && nodes.has_heard(0, 1, number);
  });
}

}  // namespace

TEST_CASE("a wrong secret: refused, counted, and one warning") {
  int warned_listener = 0;
  int warned_caller = 0;
  auto with = options();
  with.warn = [&](const std::string&) { ++warned_listener; };
  Node right(0, secret(), with);
  with.warn = [&](const std::string&) { ++warned_caller; };
  Node wrong(1, TcpSecret::random(), with);
  const std::array endpoints{right.mesh().endpoint(), wrong.mesh().endpoint()};
  right.mesh().start(endpoints);
  wrong.mesh().start(endpoints);
  std::array<Envelope<Note>, 4> room;
  while (right.mesh().counts().refused < 3 || wrong.mesh().counts().refused < 3) {
    right.offer({.from = 0, .to = 1, .message = note(1)});
    wrong.offer({.from = 1, .to = 0, .message = note(1)});
    CHECK(right.poll(room) == 0);
    CHECK(wrong.poll(room) == 0);
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  CHECK(right.mesh().counts().accepted == 0);
  CHECK(right.mesh().counts().connected == 0);
  CHECK(right.mesh().counts().sent == 0);
  // One as the listener that refuses, and one as the caller that is refused.
  CHECK(warned_listener >= 1);
  CHECK(warned_listener <= 2);
  CHECK(warned_caller <= 2);
}

TEST_CASE("jobs of another shape are refused, and so is who calls the wrong node") {
  Nodes nodes(2);
  const auto hello = [&](tcp::Hello as) {
    as.nonce = tcp::random_nonce();
    const auto before = nodes.counts(0).refused;
    Stranger stranger(nodes.endpoints[0].port);
    stranger.say(tcp::encode(as, secret()));
    nodes.until([&] { return stranger.is_cut_off(); });
    CHECK(nodes.counts(0).refused == before + 1);
  };
  const tcp::Hello good{.from = 1, .to = 0, .nodes = 2, .frame_bytes_max = sizeof(Note)};
  auto bad = good;
  hello((bad.to = 1, bad));
  bad = good;
  hello((bad.from = 0, bad));
  bad = good;
  hello((bad.from = 2, bad));
  bad = good;
  hello((bad.from = -1, bad));
  bad = good;
  hello((bad.nodes = 3, bad));
  bad = good;
  hello((bad.frame_bytes_max = 8, bad));
  check_health(nodes, 1);
}

TEST_CASE("who does not know the secret hears nothing at all") {
  Nodes nodes(2);
  Stranger stranger(nodes.endpoints[0].port);
  stranger.say(tcp::encode({.from = 1, .to = 0, .nodes = 2, .frame_bytes_max = sizeof(Note)},
                           TcpSecret::random()));
  std::size_t heard = 0;
  nodes.until([&] {
    heard += stranger.hear().size();
    return !stranger.is_connected;
  });
  CHECK(heard == 0);
  CHECK(nodes.counts(0).refused == 1);
}

TEST_CASE("garbage of any length is no harm") {
  Nodes nodes(2);
  nodes.connect_all();
  std::uint64_t state = 1;
  for (std::size_t length = 1; length < 400; length += 13) {
    std::vector<std::byte> bytes(length);
    for (auto& byte : bytes)
      byte = static_cast<std::byte>((state = state * 6364136223846793005U + 1) >> 56);
    Stranger stranger(nodes.endpoints[0].port);
    stranger.say(bytes);
    nodes.poll();
  }
  Stranger browser(nodes.endpoints[0].port);
  browser.say(
      "GET / HTTP/1.1\r\nHost: cairn\r\nUser-Agent: somebody who is lost, as ever before\r\n"
      "Accept: text/html, */*; and thank you\r\n\r\n");
  nodes.until([&] { return browser.is_cut_off(); });
  CHECK(nodes.counts(0).refused > 0);
  CHECK(nodes.counts(0).accepted == 1);
  check_health(nodes, 1);
}

TEST_CASE("scanners that come and go leave nothing behind") {
  Nodes nodes(2);
  nodes.connect_all();
  const auto before = open_descriptors();
  for (int i = 0; i < 300; ++i) {
    Stranger stranger(nodes.endpoints[0].port);
    CHECK(stranger.is_connected);
    stranger.hang_up();
    nodes.poll();
  }
  nodes.until([&] { return nodes.counts(0).hung_up + nodes.counts(0).evicted >= 300; });
  CHECK(open_descriptors() == before);
  check_health(nodes, 1);
}

TEST_CASE("who is slow is cut off at the end of the handshake's time, however busily he is slow") {
  auto with = options();
  with.handshake_timeout = std::chrono::milliseconds(50);
  Nodes nodes(2, with);
  nodes.connect_all();
  const auto before = nodes.counts(0);
  Stranger silent(nodes.endpoints[0].port);
  Stranger slow(nodes.endpoints[0].port);
  const auto hello =
      tcp::encode({.from = 1, .to = 0, .nodes = 2, .frame_bytes_max = sizeof(Note)}, secret());
  // Byte by byte, for longer than he has; meanwhile the others speak.
  std::size_t said = 0;
  while (said + 1 < hello.size() && !slow.is_cut_off()) {
    slow.say(std::span(hello).subspan(said++, 1));
    check_health(nodes, said);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  CHECK(said + 1 < hello.size());
  nodes.until([&] { return silent.is_cut_off(); });
  CHECK(nodes.counts(0).timeouts == before.timeouts + 2);
  CHECK(nodes.counts(0).refused == before.refused);
  CHECK(nodes.counts(0).lost_connections == before.lost_connections);
}

TEST_CASE("many who say nothing hold a bounded number of places, and nobody else up") {
  auto with = options();
  with.strangers_max = 4;
  with.handshake_timeout = std::chrono::minutes(10);
  Nodes nodes(2, with);
  nodes.connect_all();
  const auto before = open_descriptors();
  std::vector<Stranger> crowd;
  for (int i = 0; i < 40; ++i) {
    crowd.emplace_back(nodes.endpoints[0].port);
    nodes.poll();
  }
  nodes.until([&] { return nodes.counts(0).evicted >= 36; });
  CHECK(open_descriptors() <= before + 40 + 4);
  // A node that comes back gets its place among them.
  nodes.kill(1);
  nodes.revive(1);
  check_health(nodes, 1);
}

namespace {

/// A socket that listens where a node did.
int listen_in_place(std::uint16_t port, int backlog) {
  const int impostor = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int yes = 1;
  ::setsockopt(impostor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(impostor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(impostor, backlog) == 0);
  return impostor;
}

}  // namespace

TEST_CASE("a call that nobody answers holds nobody up") {
  auto with = options();
  with.handshake_timeout = std::chrono::milliseconds(50);
  Nodes nodes(3, with);
  nodes.connect_all();
  nodes.kill(1);
  // Its queue of callers is full: the next ones hear nothing, not even a refusal.
  const int silent = listen_in_place(nodes.endpoints[1].port, 0);
  std::vector<Stranger> queue;
  for (int i = 0; i < 4; ++i) {
    queue.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), true);
    queue.back().call(nodes.endpoints[1].port);
  }
  const auto before = nodes.counts(0).timeouts;
  for (std::uint64_t i = 1; nodes.counts(0).timeouts < before + 3; ++i) {
    nodes.send(0, 1, i);
    nodes.send(0, 2, i);
    nodes.until([&] { return nodes.has_heard(2, 0, i); });
  }
  ::close(silent);
}

TEST_CASE("who listens in a node's place, without the secret, hears a greeting and no message") {
  Nodes nodes(2);
  nodes.connect_all();
  nodes.kill(1);
  const int impostor = listen_in_place(nodes.endpoints[1].port, 8);
  for (std::uint64_t i = 0; i < 100; ++i) nodes.send(0, 1, i);
  std::size_t heard = 0;
  std::vector<Stranger> calls;
  nodes.until([&] {
    const int call = ::accept4(impostor, nullptr, nullptr, SOCK_NONBLOCK);
    if (call >= 0) calls.emplace_back(call, true).say(std::string(200, 'x'));
    for (auto& caller : calls) heard += caller.hear().size();
    return nodes.counts(0).refused > 3;
  });
  CHECK(heard <= calls.size() * tcp::hello_bytes);
  calls.clear();
  ::close(impostor);
  nodes.revive(1);
  nodes.until([&] { return nodes.has_heard(1, 0, 99); });
}

TEST_CASE("a connection that is repeated byte by byte is refused") {
  Duo duo;
  const auto frame = duo->frame(1);
  duo.say(frame);
  duo.until_heard(1);

  Stranger second(duo.nodes.endpoints[0].port);
  second.say(duo->hello);
  second.say(tcp::proof(duo->hello, duo->nonce, secret()));
  second.say(frame);
  duo.nodes.until([&] { return second.is_cut_off(); });
  CHECK(duo.nodes.counts(0).refused == 1);
  CHECK(duo.nodes.heard[0].size() == 1);
  // And the one that was good goes on.
  duo.say(duo->frame(2));
  duo.until_heard(2);
}

TEST_CASE("who does not prove is not let in, though he knows a good greeting") {
  Nodes nodes(2);
  nodes.kill(1);
  Insider cheat(nodes, 1, 0);
  cheat.wire.say(tcp::proof(cheat.hello, cheat.nonce, TcpSecret::random()));
  nodes.until([&] { return cheat.wire.is_cut_off(); });
  CHECK(nodes.counts(0).refused == 1);
  CHECK(nodes.counts(0).accepted == 0);
}

TEST_CASE("frames that are altered, repeated, left out, exchanged or too long end the connection") {
  const auto run = [](auto&& cheat) {
    Duo duo;
    duo.say(duo->frame(1));
    duo.until_heard(1);
    cheat(duo);
    duo.until_cut_off();
    CHECK(duo.nodes.counts(0).bad_frames == 1);
    CHECK(duo.nodes.heard[0].size() == 1);
  };
  SUBCASE("altered, at any byte") {
    for (std::size_t at = 0; at < sizeof(Note) + tcp::frame_extra_bytes; at += 7)
      run([&](Duo& duo) {
        auto frame = duo->frame(2);
        // Of the length the low bits alone, which make it shorter: a longer one is waited for.
        frame[at] ^= at < tcp::frame_head_bytes ? std::byte{0x80} : std::byte{1};
        duo.say(frame);
        duo.say(duo->frame(3));
      });
  }
  SUBCASE("repeated") {
    run([](Duo& duo) {
      // The first frame once more: a fresh session of the same keys makes its bytes.
      duo->session = tcp::Session(duo->hello, duo->nonce, secret());
      duo.say(duo->frame(1));
    });
  }
  SUBCASE("left out") {
    run([](Duo& duo) {
      (void)duo->frame(2);
      duo.say(duo->frame(3));
    });
  }
  SUBCASE("exchanged") {
    run([](Duo& duo) {
      const auto second = duo->frame(2);
      duo.say(duo->frame(3));
      duo.say(second);
    });
  }
  SUBCASE("too long") {
    for (const auto length : {static_cast<std::uint32_t>(sizeof(Note)) + 1, 0xffffffffU})
      run([&](Duo& duo) {
        std::array<std::byte, 4> head;
        tcp::put_u32(head.data(), length);
        duo.say(head);
      });
  }
}

TEST_CASE("a frame of another size than a message is passed over") {
  Duo duo;
  duo.say(duo->frame(std::as_bytes(std::span("short"))));
  duo.say(duo->frame(std::span<const std::byte>()));
  duo.say(duo->frame(4));
  duo.until_heard(4);
  CHECK(duo.nodes.heard[0].size() == 1);
}

TEST_CASE("frames in pieces of any size are put together") {
  Duo duo;
  std::vector<std::byte> bytes;
  for (std::uint64_t i = 1; i <= 5; ++i) {
    const auto frame = duo->frame(i);
    bytes.insert(bytes.end(), frame.begin(), frame.end());
  }
  for (std::size_t at = 0; at < bytes.size(); at += 7) {
    duo.say(std::span(bytes).subspan(at, std::min<std::size_t>(7, bytes.size() - at)));
    duo.nodes.poll();
  }
  duo.until_heard(5);
  CHECK(duo.nodes.heard[0].size() == 5);
}

TEST_CASE("a connection that is half open gives way to the next one of its node") {
  Duo duo;
  duo.nodes.until([&] { return duo.nodes.mesh(0).is_connected_from(1); });
  duo.nodes.revive(1);
  duo.until_cut_off();
  check_health(duo.nodes, 1);
}
