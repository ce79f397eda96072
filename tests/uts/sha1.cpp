#include "sha1.hpp"

#include <doctest/doctest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "cairn/core/error.hpp"

using namespace cairn;
using namespace cairn::uts;

namespace {

/// SHA-1 as FIPS 180-4, 6.1.2 says it, of a message of any length: nothing in common with the
/// kernels.
std::array<std::uint32_t, 5> textbook_sha1(std::vector<std::uint8_t> message) {
  const std::uint64_t bits = 8 * message.size();
  message.push_back(0x80);
  while (message.size() % 64 != 56) message.push_back(0);
  for (int shift = 56; shift >= 0; shift -= 8)
    message.push_back(static_cast<std::uint8_t>(bits >> shift));
  const auto rotate = [](std::uint32_t x, int n) { return x << n | x >> (32 - n); };
  std::array<std::uint32_t, 5> h{0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U, 0xc3d2e1f0U};
  for (std::size_t block = 0; block < message.size(); block += 64) {
    std::array<std::uint32_t, 80> w{};
    for (std::size_t i = 0; i < 64; ++i) w[i / 4] = w[i / 4] << 8 | message[block + i];
    for (std::size_t t = 16; t < 80; ++t)
      w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    auto [a, b, c, d, e] = h;
    for (std::size_t t = 0; t < 80; ++t) {
      std::uint32_t f = b ^ c ^ d, k = t < 40 ? 0x6ed9eba1U : 0xca62c1d6U;
      if (t < 20) f = (b & c) | (~b & d), k = 0x5a827999U;
      if (40 <= t && t < 60) f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdcU;
      const std::uint32_t next = rotate(a, 5) + f + e + k + w[t];
      e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    h = {h[0] + a, h[1] + b, h[2] + c, h[3] + d, h[4] + e};
  }
  return h;
}

std::vector<std::uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

void append(std::vector<std::uint8_t>& message, std::uint32_t word) {
  for (int shift = 24; shift >= 0; shift -= 8)
    message.push_back(static_cast<std::uint8_t>(word >> shift));
}

Node textbook_child(const Node& parent, std::uint32_t index) {
  std::vector<std::uint8_t> message;
  for (const auto word : parent.state) append(message, word);
  append(message, index);
  return {textbook_sha1(message), parent.depth + 1};
}

std::vector<Node> random_nodes(std::size_t n) {
  std::mt19937 random(7);
  std::vector<Node> nodes(n);
  for (auto& node : nodes) {
    for (auto& word : node.state) word = static_cast<std::uint32_t>(random());
    node.depth = static_cast<std::int32_t>(random() % 1000000);
  }
  return nodes;
}

}  // namespace

TEST_CASE("the textbook's SHA-1 knows the published digests") {
  // FIPS 180-4 examples.
  using Digest = std::array<std::uint32_t, 5>;
  CHECK(textbook_sha1({}) ==
        Digest{0xda39a3eeU, 0x5e6b4b0dU, 0x3255bfefU, 0x95601890U, 0xafd80709U});
  CHECK(textbook_sha1(bytes_of("abc")) ==
        Digest{0xa9993e36U, 0x4706816aU, 0xba3e2571U, 0x7850c26cU, 0x9cd0d89dU});
  CHECK(textbook_sha1(bytes_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        Digest{0x84983e44U, 0x1c3bd26eU, 0xbaae4aa1U, 0xf95129e5U, 0xe54670f1U});
}

TEST_CASE("every kernel gives the children of the textbook, however many are wanted") {
  const auto parents = random_nodes(70);
  std::mt19937 random(8);
  for (const Kernel& kernel : kernels()) {
    CAPTURE(kernel.name);
    for (std::size_t n = 0; n <= 70; ++n) {
      std::vector<Child> wanted(n);
      for (auto& child : wanted)
        child = {static_cast<std::uint32_t>(random() % parents.size()),
                 static_cast<std::uint32_t>(n % 2 == 0 ? random() % 100 : random())};
      const Node untouched{{1, 2, 3, 4, 5}, 6};
      std::vector<Node> children(n + 1, untouched);
      kernel.spawn(parents, wanted, children.data());
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < n; ++i)
        wrong += children[i] == textbook_child(parents[wanted[i].parent], wanted[i].index) ? 0 : 1;
      CHECK(wrong == 0);
      CHECK(children[n] == untouched);
    }
  }
}

TEST_CASE("children of one node are numbered from the first on") {
  const Node parent = random_nodes(1)[0];
  for (const Kernel& kernel : kernels())
    for (const std::size_t n : {0, 1, 15, 16, 17, 40}) {
      std::vector<Node> children(n);
      spawn(kernel, parent, 5, children);
      for (std::size_t i = 0; i < n; ++i)
        CHECK(children[i] == textbook_child(parent, static_cast<std::uint32_t>(5 + i)));
    }
}

TEST_CASE("the root is the digest of 16 zero bytes and the seed") {
  for (const std::uint32_t seed : {0U, 19U, 502U, 0x7fffffffU}) {
    std::vector<std::uint8_t> message(16);
    append(message, seed);
    CHECK(root_of(seed) == Node{textbook_sha1(message), 0});
  }
}

TEST_CASE("the portable kernel is everywhere, and an unknown one is refused with the names") {
  CHECK(kernels().front().name == "portable");
  CHECK(kernel("portable").name == "portable");
  CHECK(kernel().name == kernels().back().name);
  std::string text;
  try {
    (void)kernel("md5");
  } catch (const Error& error) {
    CHECK(error.code() == Errc::usage);
    text = error.what();
  }
  CHECK(text.find("--kernel md5 is not here; this CPU has auto, portable") != std::string::npos);
}
