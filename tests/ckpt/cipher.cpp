// What encrypts an epoch: bytes are accepted at their own place only, under their own key only.

#include "cipher.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <set>
#include <vector>

#include "cairn/core/error.hpp"

using namespace cairn;
using namespace cairn::ckpt;

namespace {

const std::string digits(64, '7');

std::vector<std::byte> some_bytes() {
  std::vector<std::byte> bytes(1000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i % 251);
  return bytes;
}

}  // namespace

TEST_CASE("a piece opens at its own place only") {
  const auto key = Key::from_hex(digits, "test");
  const auto seal = new_seal(key);
  const EpochCipher cipher(key, seal, "job", 3);
  const Box box{{1, 2}, {10, 100}};
  const Place place{.name = "u", .box = &box, .piece = 4, .offset_bytes = 4096};
  auto sealed = some_bytes();
  const auto tag = cipher.seal(sealed, place);
  CHECK(sealed != some_bytes());
  const auto opens = [&](const EpochCipher& with, const Place& at) {
    auto bytes = sealed;
    const bool is_open = with.open(bytes, tag, at);
    if (is_open) CHECK(bytes == some_bytes());
    return is_open;
  };
  CHECK(opens(cipher, place));

  // The nonce is the same in all of these but the last: it is the associated data that tell.
  auto other = place;
  other.name = "v";
  CHECK_FALSE(opens(cipher, other));
  other = place;
  other.type = ScalarType::int64;
  CHECK_FALSE(opens(cipher, other));
  other = place;
  other.piece = 5;
  CHECK_FALSE(opens(cipher, other));
  for (const Box& elsewhere : {Box{{1, 3}, {10, 100}}, Box{{1, 2}, {100, 10}}, Box{{1}, {2}}}) {
    other = place;
    other.box = &elsewhere;
    CHECK_FALSE(opens(cipher, other));
  }
  CHECK_FALSE(opens(EpochCipher(key, seal, "other job", 3), place));
  CHECK_FALSE(opens(EpochCipher(key, seal, "job", 4), place));
  other = place;
  other.offset_bytes = 4097;
  CHECK_FALSE(opens(cipher, other));

  CHECK_FALSE(opens(EpochCipher(key, new_seal(key), "job", 3), place));
  CHECK_FALSE(
      opens(EpochCipher(Key::from_hex(std::string(64, '8'), "test"), seal, "job", 3), place));
}

TEST_CASE(
    "equal bytes at different places, values included, have nothing in common when encrypted") {
  const auto key = Key::from_hex(digits, "test");
  const EpochCipher cipher(key, new_seal(key), "job", 1);
  const EpochCipher next(key, new_seal(key), "job", 1);
  const Box box{{0}, {100}};
  std::set<std::vector<std::byte>> beginnings;
  for (const auto* each : {&cipher, &next}) {
    for (std::uint64_t i = 0; i < 20; ++i) {
      for (const bool is_piece : {true, false}) {
        auto bytes = some_bytes();
        (void)each->seal(
            bytes, {.name = "u", .box = is_piece ? &box : nullptr, .piece = i, .offset_bytes = i});
        // One nonce for two messages would show here: the stream of the cipher is the same then.
        beginnings.insert({bytes.begin(), bytes.begin() + 16});
      }
    }
  }
  CHECK(beginnings.size() == 2 * 20 * 2);
}

TEST_CASE("keys: 64 hexadecimal digits; their names tell them apart") {
  const auto code_of = [](const std::string& text) {
    try {
      (void)Key::from_hex(text, "test");
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find("aaaa") == std::string::npos);  // never shown
      return error.code();
    }
    return Errc::internal;
  };
  for (const std::size_t length : {1, 63, 65, 128}) {
    CHECK(code_of(std::string(length, 'a')) == Errc::usage);
  }
  CHECK(code_of(std::string(63, 'a') + "g") == Errc::usage);
  CHECK(Key::from_hex(digits, "test").id() == Key::from_hex(digits, "test").id());
  CHECK(Key::from_hex(digits, "test").id() != Key::from_hex(std::string(64, '8'), "test").id());
  CHECK(Key::from_hex(digits, "test").id().size() == 16);
}
