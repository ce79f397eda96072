/// The bits of doubles, as the exact sum takes them apart and puts them together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace cairn::exact {

__extension__ typedef unsigned __int128 Uint128;

static_assert(std::numeric_limits<double>::is_iec559 && sizeof(double) == 8);

inline constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;
inline constexpr std::uint64_t fraction_mask = (std::uint64_t{1} << 52) - 1;
inline constexpr std::uint64_t special_exponent = 0x7ff;  // of infinities and NaNs
inline constexpr std::uint64_t infinity = special_exponent << 52;

/// Weight of the lowest bit of digit 0, as a power of two, below the lowest bit of the smallest
/// product (2^-2148). Of all such it puts 2^-1074, the lowest bit of a double, at the start of a
/// digit. It is even, so that square roots halve it.
inline constexpr int lowest_exponent = -1074 - 32 * 34;
inline constexpr std::size_t first_double_digit = 34;

/// A finite double is ±significand · 2^(scale - 1074); significand < 2^53, 0 ≤ scale ≤ 2045.
struct Parts {
  std::uint64_t significand;
  unsigned scale;
};

inline std::uint64_t exponent_field(std::uint64_t bits) { return (bits >> 52) & special_exponent; }

inline Parts parts_of(std::uint64_t bits) {
  const std::uint64_t exponent = exponent_field(bits);
  const std::uint64_t normal = exponent != 0 ? 1 : 0;
  return {(bits & fraction_mask) | (normal << 52), static_cast<unsigned>(exponent - normal)};
}

/// 0 for a term that is added, -1 for one that is subtracted.
inline std::int64_t sign_of(std::uint64_t bits) { return static_cast<std::int64_t>(bits) >> 63; }

/// x or, for sign -1, -x.
inline std::int64_t with_sign(std::uint64_t x, std::int64_t sign) {
  return (static_cast<std::int64_t>(x) ^ sign) - sign;
}

}  // namespace cairn::exact
