/// Bytes as text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>

namespace cairn::test {

/// Two lower-case digits for each byte.
inline std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const auto byte : bytes) {
    std::array<char, 3> digits{};
    std::snprintf(digits.data(), digits.size(), "%02x", std::to_integer<unsigned>(byte));
    text += digits.data();
  }
  return text;
}

}  // namespace cairn::test
