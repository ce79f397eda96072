#include "utf8.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace cairn::ckpt;

namespace {

/// The text of one code point, by the plain rule of bits; also of what is no character.
std::string encoded(unsigned code, int length) {
  if (length == 1) return {static_cast<char>(code)};
  std::string text;
  for (int i = 0; i < length - 1; ++i, code >>= 6U)
    text.insert(text.begin(), static_cast<char>(0x80U | (code & 0x3FU)));
  text.insert(text.begin(), static_cast<char>((0xFF00U >> static_cast<unsigned>(length)) | code));
  return text;
}

int shortest(unsigned code) {
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  return code < 0x10000 ? 3 : 4;
}

}  // namespace

TEST_CASE("UTF-8: each code point in its shortest form alone, no surrogates, none above U+10FFFF") {
  constexpr int bits[] = {0, 7, 11, 16, 21};
  for (unsigned code = 0; code < 0x120000; code += code < 0x3000 ? 1 : 61) {
    const bool is_character = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    for (int length = 1; length <= 4; ++length) {
      if (code >> static_cast<unsigned>(bits[length]) != 0) continue;
      const bool good = is_character && length == shortest(code);
      CHECK_MESSAGE(is_utf8("a" + encoded(code, length) + "z") == good, code, " in ", length);
    }
  }
  for (const unsigned edge : {0xD7FFU, 0xE000U, 0xFFFFU, 0x10000U, 0x10FFFFU})
    CHECK(is_utf8(encoded(edge, shortest(edge))));
  for (const unsigned edge : {0xD800U, 0xDFFFU, 0x110000U})
    CHECK(!is_utf8(encoded(edge, shortest(edge))));
}

TEST_CASE("UTF-8: pieces of characters are refused, text of any script is not") {
  for (const char* text : {"\x80", "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x8c", "a\xbfz", "\xc3z"})
    CHECK(!is_utf8(text));
  for (const char* text : {"", "plain", "Wärme €  水 🌋"}) CHECK(is_utf8(text));
  CHECK(escaped("a\xff\n~") == "a\\xff\\x0a~");
}
