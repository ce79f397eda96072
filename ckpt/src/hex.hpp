/// Bytes and numbers as hexadecimal digits, as they stand in records.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/core/error.hpp"

namespace cairn::ckpt {

inline constexpr char hex_digits[] = "0123456789abcdef";

/// Two digits for each byte, in lower case. Local.
[[nodiscard]] std::string hex_of(std::span<const std::byte> bytes);

/// @throws Error{Errc::bad_data} for what is not hexadecimal, as all that follow
template <typename Number>
[[nodiscard]] Number from_hex(std::string_view digits) {
  Number number{};
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  if (error != std::errc{} || end != digits.data() + digits.size())
    throw Error(Errc::bad_data, "'" + std::string(digits) + "' is not hexadecimal");
  return number;
}

[[nodiscard]] std::vector<std::byte> bytes_from_hex(std::string_view text);

/// Digests of pieces: eight digits each.
[[nodiscard]] std::string crcs_to_hex(const std::vector<std::uint32_t>& crcs);
[[nodiscard]] std::vector<std::uint32_t> crcs_from_hex(std::string_view text);

template <std::size_t Size>
[[nodiscard]] std::string array_to_hex(const std::array<unsigned char, Size>& bytes) {
  return hex_of(std::as_bytes(std::span(bytes)));
}

template <std::size_t Size>
[[nodiscard]] std::array<unsigned char, Size> array_from_hex(std::string_view text) {
  if (text.size() != 2 * Size)
    throw Error(Errc::bad_data, "a hexadecimal string of a wrong length");
  std::array<unsigned char, Size> array{};
  for (std::size_t i = 0; i < Size; ++i) array[i] = from_hex<unsigned char>(text.substr(2 * i, 2));
  return array;
}

}  // namespace cairn::ckpt
