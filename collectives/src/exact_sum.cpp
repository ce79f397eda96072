#include "cairn/collectives/exact_sum.hpp"

#include <bit>

#include "cairn/core/error.hpp"
#include "exact_bits.hpp"
#include "exact_blocks.hpp"

namespace cairn {

using exact::exponent_field;
using exact::first_double_digit;
using exact::fraction_mask;
using exact::infinity;
using exact::parts_of;
using exact::sign_bit;
using exact::sign_of;
using exact::special_exponent;
using exact::Uint128;
using exact::with_sign;

namespace {

constexpr std::int64_t digit_mask = 0xffffffff;

/// Additions that may pass between two carry propagations.
constexpr std::int64_t weight_limit = std::int64_t{1} << 30;

/// Terms below which to add one by one is faster than to set up blocks.
constexpr std::size_t few_terms = 24;
constexpr std::size_t few_products = 16;

/// The product of two doubles of which at least one is no finite number. Not left to the hardware,
/// which in a flush-to-zero mode takes infinity · denormal for infinity · 0.
std::uint64_t special_product(std::uint64_t a, std::uint64_t b) {
  const auto is_nan = [](std::uint64_t bits) { return (bits & ~sign_bit) > infinity; };
  const auto is_zero = [](std::uint64_t bits) { return (bits & ~sign_bit) == 0; };
  if (is_nan(a) || is_nan(b) || is_zero(a) || is_zero(b)) return infinity + 1;
  return infinity | ((a ^ b) & sign_bit);
}

std::uint64_t low_half(std::uint64_t x) { return x & static_cast<std::uint64_t>(digit_mask); }

}  // namespace

// Why no word can overflow. Invariant: |word| ≤ weight · (2^32 - 1).
//
// * An addition puts at most one 32-bit chunk, with a sign, into a digit and raises a flag by at
//   most 1: weight grows by 1. Every slice of a block is an addition, its flag is one more. Between
//   calls weight ≤ 2^30; a merge reaches at most 2^31 before carries travel, and
//   2^31 · (2^32 - 1) = 2^63 - 2^31.
// * After the carries have travelled every digit but the last lies in [0, 2^32) and flags are 0 or
//   1: weight 1. So the sum over P ranks has weight P ≤ 2^31 (MPI's ranks are ints).
// * Travelling from such words, v = digit + carry. If -2^31 ≤ carry < 2^31 then
//   -2^63 ≤ v < 2^63, and the next carry, floor(v / 2^32), lies in [-2^31, 2^31) again.
// * The last digit weighs 2^2094 and receives only carries; no term reaches it. N terms of less
//   than 2^2048 sum up to less than N · 2^2048, so it stays below N · 2^-46 + 1: for 2^63 terms on
//   each of 2^31 ranks 2^48, far inside the invariant's bound for digits.

void ExactSum::count_additions(std::int64_t additions) noexcept {
  words_[weight] += additions;
  if (words_[weight] > weight_limit) [[unlikely]] {
    propagate_carries();
  }
}

void ExactSum::count_flag(Word flag) noexcept {
  words_[flag] += 1;
  count_additions(1);
}

/// Brings every digit but the last into [0, 2^32) without changing the number. The last one takes
/// what carries bring.
void ExactSum::travel(std::span<std::int64_t> range) noexcept {
  std::int64_t carry = 0;
  for (auto& digit : range.first(range.size() - 1)) {
    const std::int64_t value = digit + carry;
    digit = value & digit_mask;
    carry = value >> 32;
  }
  range.back() += carry;
}

void ExactSum::propagate_carries() noexcept {
  travel(std::span(words_).first(digits));
  for (std::size_t flag = digits; flag < weight; ++flag) words_[flag] = words_[flag] != 0 ? 1 : 0;
  words_[weight] = 1;
}

/// Adds ±significand · 2^shift at `digit`; shift < 32. Touches three digits.
void ExactSum::add_at(std::size_t digit, unsigned shift, std::uint64_t significand,
                      std::int64_t sign) noexcept {
  const Uint128 shifted = static_cast<Uint128>(significand) << shift;
  const auto low = static_cast<std::uint64_t>(shifted);
  words_[digit] += with_sign(low_half(low), sign);
  words_[digit + 1] += with_sign(low >> 32, sign);
  words_[digit + 2] += with_sign(static_cast<std::uint64_t>(shifted >> 64), sign);
}

/// Adds value · 2^place, where places are counted from the lowest bit of digit 0. Like an addition
/// to each digit, which the caller counts.
void ExactSum::add_signed(std::int64_t value, unsigned place) noexcept {
  const auto bits = static_cast<std::uint64_t>(value);
  add_at(place / 32, place % 32, value < 0 ? 0 - bits : bits, sign_of(bits));
}

void ExactSum::add_infinity_or_nan(std::uint64_t bits) noexcept {
  const bool nan = (bits & fraction_mask) != 0;
  count_flag(nan ? not_a_number : (bits & sign_bit) != 0 ? minus_infinity : plus_infinity);
}

void ExactSum::add(double term) noexcept {
  const auto bits = std::bit_cast<std::uint64_t>(term);
  if (exponent_field(bits) == special_exponent) [[unlikely]] {
    add_infinity_or_nan(bits);
    return;
  }
  const auto [significand, scale] = parts_of(bits);
  add_at(first_double_digit + scale / 32, scale % 32, significand, sign_of(bits));
  count_flag(bits == sign_bit ? minus_zeros : others);
}

void ExactSum::add(std::span<const double> terms) noexcept {
  if (terms.size() < few_terms) {
    for (const double term : terms) add(term);
    return;
  }
  Blocks::add(*this, terms);
}

void ExactSum::add_product(double a, double b) noexcept {
  const auto a_bits = std::bit_cast<std::uint64_t>(a);
  const auto b_bits = std::bit_cast<std::uint64_t>(b);
  if (exponent_field(a_bits) == special_exponent || exponent_field(b_bits) == special_exponent)
      [[unlikely]] {
    add_infinity_or_nan(special_product(a_bits, b_bits));
    return;
  }
  const auto [a_significand, a_scale] = parts_of(a_bits);
  const auto [b_significand, b_scale] = parts_of(b_bits);
  const std::uint64_t sign_bits = a_bits ^ b_bits;
  const Uint128 product = static_cast<Uint128>(a_significand) * b_significand;
  const unsigned place = a_scale + b_scale + static_cast<unsigned>(-2148 - exact::lowest_exponent);
  // Both halves reach into digit + 2, the low one with its `shift` lowest bits only, which the high
  // one leaves free: still one chunk of 32 bits.
  add_at(place / 32, place % 32, static_cast<std::uint64_t>(product), sign_of(sign_bits));
  add_at(place / 32 + 2, place % 32, static_cast<std::uint64_t>(product >> 64), sign_of(sign_bits));
  count_flag(product == 0 && (sign_bits & sign_bit) != 0 ? minus_zeros : others);
}

void ExactSum::add_products(std::span<const double> a, std::span<const double> b) {
  expects(a.size() == b.size(), "two factors of equal size");
  if (a.size() < few_products) {
    for (std::size_t i = 0; i < a.size(); ++i) add_product(a[i], b[i]);
    return;
  }
  Blocks::add_products(*this, a, b);
}

void ExactSum::merge(const ExactSum& other) noexcept {
  for (std::size_t i = 0; i < words; ++i) words_[i] += other.words_[i];
  count_additions(0);
}

}  // namespace cairn
