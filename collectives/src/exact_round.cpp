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

/// A number ≥ 0 whose carries have travelled: its digits from number `first` on lie in [0, 2^32),
/// the others are 0. Places are counted in bits from the lowest one of digit 0.
class Magnitude {
 public:
  Magnitude(std::span<const std::int64_t> digits, std::size_t first)
      : digits_(digits), first_(first) {}

  [[nodiscard]] std::size_t width() const {
    std::size_t count = digits_.size();
    while (count > 0 && digits_[count - 1] == 0) --count;
    if (count == 0) return 0;
    const std::size_t leading = first_ + count - 1;
    return 32 * leading + static_cast<std::size_t>(std::bit_width(digit(leading)));
  }
  /// The bits from `place` on, of which at most 128 may be there.
  [[nodiscard]] Uint128 bits_from(std::size_t place) const {
    const std::size_t first = place / 32;
    const std::size_t shift = place % 32;
    Uint128 bits = digit(first) >> shift;
    for (std::size_t i = 1; i < 5; ++i) {
      bits |= static_cast<Uint128>(digit(first + i)) << (32 * i - shift);
    }
    return bits;
  }
  [[nodiscard]] bool any_below(std::size_t place) const {
    const std::size_t whole = place / 32;
    if ((digit(whole) & ((std::uint64_t{1} << (place % 32)) - 1)) != 0) return true;
    const auto below = digits_.first(std::clamp(whole, first_, first_ + digits_.size()) - first_);
    return std::any_of(below.begin(), below.end(), [](std::int64_t x) { return x != 0; });
  }

 private:
  [[nodiscard]] std::uint64_t digit(std::size_t i) const {
    return i - first_ < digits_.size() ? static_cast<std::uint64_t>(digits_[i - first_]) : 0;
  }
  std::span<const std::int64_t> digits_;
  std::size_t first_;
};

double nearest(const Magnitude& sum) {
  constexpr std::size_t lowest = 32 * exact::first_double_digit;  // the place of 2^-1074
  const std::size_t place = last_place(sum.width(), lowest);
  if (place > lowest + highest_scale) return Limits::infinity();
  return rounded(place - lowest, static_cast<std::uint64_t>(sum.bits_from(place - 1)),
                 sum.any_below(place - 1));
}

/// Places of the root are counted from 2^(lowest_exponent / 2), in which it is the root of an
/// integer.
double nearest_root(const Magnitude& sum) {
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

}  // namespace

/// Rounds a sum of which the caller holds the digits from number `first` on, all that are not 0;
/// the last two are room for carries and the sign. Overwrites them.
double ExactSum::round_digits(std::span<std::int64_t> range, std::size_t first,
                              Rounding rounding) noexcept {
  travel(range);
  const bool negative = range.back() < 0;
  if (rounding == Rounding::root) {
    return negative ? Limits::quiet_NaN() : nearest_root(Magnitude(range, first));
  }
  if (!negative) return nearest(Magnitude(range, first));
  for (auto& digit : range) digit = -digit;
  travel(range);
  return -nearest(Magnitude(range, first));
}

double ExactSum::round(Rounding rounding) const noexcept {
  auto copy = words_;
  const auto all = std::span(copy).first(digits);
  const auto used = [](std::int64_t word) { return word != 0; };
  const auto first =
      static_cast<std::size_t>(std::find_if(all.begin(), all.end(), used) - all.begin());
  if (first == digits) return 0.0;
  std::size_t end = digits;
  while (end > first && all[end - 1] == 0) --end;
  return round_digits(all.subspan(first, std::min(end + 2, digits) - first), first, rounding);
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
  return round(Rounding::value);
}

double ExactSum::round_root() const noexcept {
  if (const auto special = special_value()) return *special < 0 ? Limits::quiet_NaN() : *special;
  return round(Rounding::root);
}

}  // namespace cairn
