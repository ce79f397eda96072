#include "utf8.hpp"

#include <cstddef>
#include <span>

#include "hex.hpp"

namespace cairn::ckpt {

namespace {

unsigned char byte_at(std::string_view text, std::size_t i) {
  return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
}

bool is_between(unsigned char byte, unsigned char first, unsigned char last) {
  return first <= byte && byte <= last;
}

/// Bytes of the character that `text` begins with; 0 when it is malformed. Only the second byte
/// has a range that depends on the first.
std::size_t character_length(std::string_view text) {
  const auto first = byte_at(text, 0);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (is_between(first, 0xC2, 0xDF)) {
    length = 2;
  } else if (is_between(first, 0xE0, 0xEF)) {
    length = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (is_between(first, 0xF0, 0xF4)) {
    length = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  if (!is_between(byte_at(text, 1), low, high)) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if (!is_between(byte_at(text, i), 0x80, 0xBF)) return 0;
  return length;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto length = character_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_between(byte, 0x20, 0x7E)) {
      out += c;
    } else {
      out += "\\x";
      out += hex_of(std::as_bytes(std::span(&c, 1)));
    }
  }
  return out;
}

}  // namespace cairn::ckpt
