// From the long accumulator to the nearest double, and to that of the square root.

#include <algorithm>
#include <bit>
#include <limits>

#include "cairn/collectives/exact_sum.hpp"
#include "exact_bits.hpp"

namespace cairn {

using exact::Uint128;

namespace {

using Limits = std::numeric_limits<double>;

constexpr std::size_t significand_bits = 53;
constexpr std::size_t highest_scale = 2045;  // of a double's last place, 2^-1074 being 0

/// The last place, counted in bits from `lowest`, that a double keeps of a number of `width` bits.
constexpr std::size_t last_place(std::size_t width, std::size_t lowest) {
  return std::max(width, lowest + significand_bits) - significand_bits;
}

/// To nearest, ties to even: of a number whose bits down to half its last place are `doubled`, and
/// which has `more` bits below or has not.
double rounded(std::size_t scale, std::uint64_t doubled, bool more) {
  const std::uint64_t kept = doubled >> 1;
  const bool half = (doubled & 1) != 0;
  const std::uint64_t significand = kept + (half && (more || (kept & 1) != 0) ? 1 : 0);
  // The leading bit of a normal significand, and a carry out of it, land in the exponent field.
  return std::bit_cast<double>((static_cast<std::uint64_t>(scale) << 52) + significand);
}

/// floor(√x) for x < 2^108, bit by bit.
std::uint64_t integer_root(Uint128 x) {
  std::uint64_t root = 0;
  for (std::uint64_t bit = std::uint64_t{1} << 53; bit != 0; bit >>= 1) {
    const std::uint64_t larger = root | bit;
    if (static_cast<Uint128>(larger) * larger <= x) root = larger;
  }
  return root;
}

}  // namespace

/// A number ≥ 0 whose carries have travelled: every digit in [0, 2^32), the last one ≥ 0. Places
/// are counted in bits from the lowest one of digit 0.
class ExactSum::Magnitude {
 public:
  explicit Magnitude(const ExactSum& sum) : digits_(std::span(sum.words_).first(digits)) {}

  [[nodiscard]] std::size_t width() const {
    std::size_t leading = digits - 1;
    while (leading > 0 && digits_[leading] == 0) --leading;
    return 32 * leading + static_cast<std::size_t>(std::bit_width(digit(leading)));
  }
  /// The bits from `place` on, of which at most 128 may be there.
  [[nodiscard]] Uint128 bits_from(std::size_t place) const {
    const std::size_t first = place / 32;
    const std::size_t shift = place % 32;
    Uint128 bits = digit(first) >> shift;
    for (std::size_t i = 1; i < 5 && first + i < digits; ++i) {
      bits |= static_cast<Uint128>(digit(first + i)) << (32 * i - shift);
    }
    return bits;
  }
  [[nodiscard]] bool any_below(std::size_t place) const {
    const std::size_t first = place / 32;
    const auto whole = digits_.first(first);
    return (digit(first) & ((std::uint64_t{1} << (place % 32)) - 1)) != 0 ||
           std::any_of(whole.begin(), whole.end(), [](std::int64_t x) { return x != 0; });
  }

 private:
  [[nodiscard]] std::uint64_t digit(std::size_t i) const {
    return static_cast<std::uint64_t>(digits_[i]);
  }
  std::span<const std::int64_t, digits> digits_;
};

double ExactSum::round_magnitude() const noexcept {
  const Magnitude sum(*this);
  constexpr std::size_t lowest = 32 * exact::first_double_digit;  // the place of 2^-1074
  const std::size_t place = last_place(sum.width(), lowest);
  if (place > lowest + highest_scale) return Limits::infinity();
  return rounded(place - lowest, static_cast<std::uint64_t>(sum.bits_from(place - 1)),
                 sum.any_below(place - 1));
}

/// The places of the root are counted from 2^(lowest_exponent / 2): it is √integer of them.
double ExactSum::round_magnitude_root() const noexcept {
  const Magnitude sum(*this);
  static_assert(exact::lowest_exponent % 2 == 0);
  constexpr std::size_t lowest = -1074 - exact::lowest_exponent / 2;  // the place of 2^-1074
  const std::size_t place = last_place((sum.width() + 1) / 2, lowest);
  if (place > lowest + highest_scale) return Limits::infinity();
  // √(bits · 4^(place - 1) + below): at most 54 bits of root from at most 108.
  const std::size_t from = 2 * (place - 1);
  const Uint128 bits = sum.bits_from(from);
  const std::uint64_t root = integer_root(bits);
  const bool more = static_cast<Uint128>(root) * root != bits || sum.any_below(from);
  return rounded(place - lowest, root, more);
}

std::optional<double> ExactSum::special_value() const noexcept {
  const bool plus = words_[plus_infinity] != 0;
  const bool minus = words_[minus_infinity] != 0;
  if (words_[not_a_number] != 0 || (plus && minus)) return Limits::quiet_NaN();
  if (plus) return Limits::infinity();
  if (minus) return -Limits::infinity();
  if (words_[minus_zeros] != 0 && words_[others] == 0) return -0.0;
  return std::nullopt;
}

double ExactSum::round() const noexcept {
  if (const auto special = special_value()) return *special;
  ExactSum sum = *this;
  sum.propagate_carries();
  if (sum.words_[digits - 1] >= 0) return sum.round_magnitude();
  for (std::size_t i = 0; i < digits; ++i) sum.words_[i] = -sum.words_[i];
  sum.propagate_carries();
  return -sum.round_magnitude();
}

double ExactSum::round_root() const noexcept {
  if (const auto special = special_value()) return *special < 0 ? Limits::quiet_NaN() : *special;
  ExactSum sum = *this;
  sum.propagate_carries();
  return sum.words_[digits - 1] >= 0 ? sum.round_magnitude_root() : Limits::quiet_NaN();
}

}  // namespace cairn
