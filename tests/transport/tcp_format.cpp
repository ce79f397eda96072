// The bytes of FORMAT.md. The tags are those of Python's hashlib.blake2b:
//
//   K = blake2b(b"a secret of these tests", digest_size=32).digest()
//   tag = blake2b(letter + parts, key=key, digest_size=size).digest()

#include <doctest/doctest.h>

#include <string>

#include "../support/hex.hpp"
#include "tcp_nodes.hpp"

using namespace tcp_test;
using cairn::test::hex;

namespace {

tcp::Nonce counted_from(int first) {
  tcp::Nonce nonce;
  for (auto& byte : nonce) byte = static_cast<std::byte>(first++);
  return nonce;
}

}  // namespace

TEST_CASE("the handshake and the frames are those of version 1") {
  const auto hello = tcp::encode(
      {.from = 1, .to = 2, .nodes = 3, .frame_bytes_max = 168, .nonce = counted_from(0)}, secret());
  const std::span all(hello);
  CHECK(hex(all.first(32)) == "636169726e746331010000000200000003000000a80000000000000000000000");
  CHECK(hex(all.subspan(64)) == "ebc13ef4750cf064d077f6cff9ddac581ffc1169009d4f77c5c83bc62a905069");
  const auto decoded = tcp::decode(hello, secret());
  REQUIRE(decoded);
  CHECK(decoded->from == 1);
  CHECK(decoded->nonce == counted_from(0));

  const auto nonce = counted_from(100);
  const auto welcome = tcp::welcome(hello, nonce, secret());
  CHECK(hex(std::span(welcome).subspan(32)) ==
        "caad97b9bfb995333c8d8101c2913b6083d19e4b85830478886125e69d7eb9e7");
  CHECK(tcp::decode(welcome, hello, secret()) == nonce);
  CHECK(hex(tcp::proof(hello, nonce, secret())) ==
        "77d28b04f5f2c82be5238721a7e810fcdc55af47ec0c8029449020aeee6739fd");

  tcp::Session session(hello, nonce, secret());
  const std::string_view stone = "stone";
  CHECK(hex(session.next_tag(std::as_bytes(std::span(stone)))) ==
        "870b32ba78e06d0d7a2e3db92cab52c5");
  CHECK(hex(session.next_tag({})) == "23c385782348b78f54c5ed7124f6e1b4");
}
