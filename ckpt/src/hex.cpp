#include "hex.hpp"

#include <cstdio>

namespace cairn::ckpt {

std::string hex_of(std::span<const std::byte> bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const auto byte : bytes) {
    text += hex_digits[std::to_integer<unsigned>(byte) >> 4];
    text += hex_digits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

std::vector<std::byte> bytes_from_hex(std::string_view text) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(from_hex<unsigned char>(text.substr(i, 2))));
  return bytes;
}

std::string crcs_to_hex(const std::vector<std::uint32_t>& crcs) {
  std::string text;
  text.reserve(8 * crcs.size());
  for (const auto crc : crcs) {
    char hex[9];
    std::snprintf(hex, sizeof hex, "%08x", crc);
    text += hex;
  }
  return text;
}

std::vector<std::uint32_t> crcs_from_hex(std::string_view text) {
  std::vector<std::uint32_t> crcs;
  for (std::size_t i = 0; i + 7 < text.size(); i += 8)
    crcs.push_back(from_hex<std::uint32_t>(text.substr(i, 8)));
  return crcs;
}

}  // namespace cairn::ckpt
