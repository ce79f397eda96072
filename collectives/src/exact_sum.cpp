#include "cairn/collectives/exact_sum.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "cairn/collectives/collective.hpp"
#include "cairn/core/error.hpp"

namespace cairn {

namespace {

__extension__ typedef unsigned __int128 Uint128;

static_assert(std::numeric_limits<double>::is_iec559 && sizeof(double) == 8);

constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;
constexpr std::uint64_t fraction_mask = (std::uint64_t{1} << 52) - 1;
constexpr std::uint64_t special_exponent = 0x7ff;  // of infinities and NaNs
constexpr std::uint64_t infinity = special_exponent << 52;
constexpr std::int64_t digit_mask = 0xffffffff;

/// Weight of the lowest bit of digit 0, as a power of two, below the lowest bit of the smallest
/// product (2^-2148). Of all such it puts 2^-1074, the lowest bit of a double, at the start of a
/// digit.
constexpr int lowest_exponent = -1074 - 32 * 34;
constexpr std::size_t first_double_digit = 34;

/// Additions that may pass between two carry propagations.
constexpr std::int64_t weight_limit = std::int64_t{1} << 30;

/// A finite double is ±significand · 2^(scale - 1074); significand < 2^53, 0 ≤ scale ≤ 2045.
struct Parts {
  std::uint64_t significand;
  unsigned scale;
};

std::uint64_t exponent_field(std::uint64_t bits) { return (bits >> 52) & special_exponent; }

Parts parts_of(std::uint64_t bits) {
  const std::uint64_t exponent = exponent_field(bits);
  const std::uint64_t normal = exponent != 0 ? 1 : 0;
  return {(bits & fraction_mask) | (normal << 52), static_cast<unsigned>(exponent - normal)};
}

/// 0 for a term that is added, -1 for one that is subtracted.
std::int64_t sign_of(std::uint64_t bits) { return static_cast<std::int64_t>(bits) >> 63; }

/// x or, for sign -1, -x.
std::int64_t with_sign(std::uint64_t x, std::int64_t sign) {
  return (static_cast<std::int64_t>(x) ^ sign) - sign;
}

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
//   most 1: weight grows by 1. Between calls weight ≤ 2^30; a merge reaches at most 2^31 before
//   carries travel, and 2^31 · (2^32 - 1) = 2^63 - 2^31.
// * After the carries have travelled every digit but the last lies in [0, 2^32) and flags are 0 or
//   1: weight 1. So the sum over P ranks has weight P ≤ 2^31 (MPI's ranks are ints).
// * Travelling from such words, v = digit + carry. If -2^31 ≤ carry < 2^31 then
//   -2^63 ≤ v < 2^63, and the next carry, floor(v / 2^32), lies in [-2^31, 2^31) again.
// * The last digit weighs 2^2094 and receives only carries; no term reaches it. N terms of less
//   than 2^2048 sum up to less than N · 2^2048, so it stays below N · 2^-46 + 1: for 2^63 terms on
//   each of 2^31 ranks 2^48, far inside the invariant's bound for digits.

void ExactSum::count_addition(std::int64_t additions) noexcept {
  weight_ += additions;
  if (weight_ > weight_limit) [[unlikely]] {
    propagate_carries();
  }
}

void ExactSum::propagate_carries() noexcept {
  std::int64_t carry = 0;
  for (std::size_t i = 0; i + 1 < digits; ++i) {
    const std::int64_t value = words_[i] + carry;
    words_[i] = value & digit_mask;
    carry = value >> 32;
  }
  words_[digits - 1] += carry;
  for (std::size_t flag = digits; flag < words; ++flag) words_[flag] = words_[flag] != 0 ? 1 : 0;
  weight_ = 1;
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

void ExactSum::add_infinity_or_nan(std::uint64_t bits) noexcept {
  const bool nan = (bits & fraction_mask) != 0;
  words_[nan ? not_a_number : (bits & sign_bit) != 0 ? minus_infinity : plus_infinity] += 1;
  count_addition(1);
}

void ExactSum::add(double term) noexcept {
  const auto bits = std::bit_cast<std::uint64_t>(term);
  if (exponent_field(bits) == special_exponent) [[unlikely]] {
    add_infinity_or_nan(bits);
    return;
  }
  const auto [significand, scale] = parts_of(bits);
  add_at(first_double_digit + scale / 32, scale % 32, significand, sign_of(bits));
  words_[bits == sign_bit ? minus_zeros : others] += 1;
  count_addition(1);
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
  const unsigned place = a_scale + b_scale + static_cast<unsigned>(-2148 - lowest_exponent);
  // Both halves reach into digit + 2, the low one with its `shift` lowest bits only, which the high
  // one leaves free: still one chunk of 32 bits.
  add_at(place / 32, place % 32, static_cast<std::uint64_t>(product), sign_of(sign_bits));
  add_at(place / 32 + 2, place % 32, static_cast<std::uint64_t>(product >> 64), sign_of(sign_bits));
  words_[product == 0 && (sign_bits & sign_bit) != 0 ? minus_zeros : others] += 1;
  count_addition(1);
}

void ExactSum::add_products(std::span<const double> a, std::span<const double> b) {
  expects(a.size() == b.size(), "two factors of equal size");
  for (std::size_t i = 0; i < a.size(); ++i) add_product(a[i], b[i]);
}

void ExactSum::merge(const ExactSum& other) noexcept {
  const std::int64_t weight = other.weight_;
  for (std::size_t i = 0; i < words; ++i) words_[i] += other.words_[i];
  count_addition(weight);
}

// ---------------------------------------------------------------------------------------------

/// Sums of many terms binned by sign and exponent, which costs a load, a count and an addition a
/// term (Neal's large superaccumulator). 80 KiB, of which the terms touch what their exponents
/// need.
///
/// A bin adds up the whole bit patterns modulo 2^64. Their upper 12 bits are the bin's number, so
/// that Σ fractions = sum - added · number · 2^52, and Σ significands < 2^11 · 2^53 is one word.
class ExactSum::Bins {
 public:
  explicit Bins(ExactSum& target) : target_(target) {
    for (auto& lane : lanes_) lane.room.fill(0);
  }

  void add(std::span<const double> terms) {
    std::size_t i = 0;
    for (; i + lane_count <= terms.size(); i += lane_count) {
      for (std::size_t lane = 0; lane < lane_count; ++lane) add(lanes_[lane], terms[i + lane]);
    }
    for (; i < terms.size(); ++i) add(lanes_[0], terms[i]);
  }

  /// Moves what is in the bins to the target.
  void empty() {
    for (const auto& lane : lanes_) {
      for (std::size_t group = 0; group < lane.used.size(); ++group) {
        for (std::uint64_t marks = lane.used[group]; marks != 0; marks &= marks - 1) {
          empty(lane, 64 * group + static_cast<std::size_t>(std::countr_zero(marks)));
        }
      }
    }
  }

 private:
  static constexpr std::size_t bin_count = 4096;
  static constexpr std::size_t lane_count = 2;  // so that a term need not wait for the last store
  static constexpr std::int16_t capacity = 2048;

  struct Lane {
    std::array<std::uint64_t, bin_count> sum;          // of used bins; the others are never read
    std::array<std::int16_t, bin_count> room;          // additions left; 0 also for unused bins
    std::array<std::uint64_t, bin_count / 64> used{};  // a bit each
  };

  void add(Lane& lane, double term) {
    const auto bits = std::bit_cast<std::uint64_t>(term);
    const std::size_t number = bits >> 52;
    if (--lane.room[number] < 0) [[unlikely]] {
      open(lane, number, bits);
      return;
    }
    lane.sum[number] += bits;
  }

  /// The first term of an unused or full bin.
  void open(Lane& lane, std::size_t number, std::uint64_t bits) {
    lane.room[number] = 0;
    if (exponent_field(bits) == special_exponent) {
      target_.add_infinity_or_nan(bits);
      return;
    }
    std::uint64_t& used = lane.used[number / 64];
    const std::uint64_t mark = std::uint64_t{1} << (number % 64);
    if ((used & mark) != 0) empty(lane, number);
    used |= mark;
    lane.sum[number] = bits;
    lane.room[number] = capacity - 1;
  }

  void empty(const Lane& lane, std::size_t number) {
    const auto added = static_cast<std::uint64_t>(capacity - lane.room[number]);
    const std::uint64_t pattern = static_cast<std::uint64_t>(number) << 52;
    const std::uint64_t fractions = lane.sum[number] - added * pattern;
    const auto [leading, scale] = parts_of(pattern);
    const std::size_t digit = first_double_digit + scale / 32;
    const std::int64_t sign = sign_of(pattern);
    target_.add_at(digit, scale % 32, fractions + added * leading, sign);
    target_.words_[pattern == sign_bit && fractions == 0 ? minus_zeros : others] += 1;
    target_.count_addition(1);
  }

  ExactSum& target_;
  std::array<Lane, lane_count> lanes_;
};

void ExactSum::add(std::span<const double> terms) noexcept {
  constexpr std::size_t few = 512;  // below, clearing the bins costs more than they save
  if (terms.size() < few) {
    for (const double term : terms) add(term);
    return;
  }
  Bins bins(*this);
  bins.add(terms);
  bins.empty();
}

// ---------------------------------------------------------------------------------------------

double ExactSum::round() const noexcept {
  using Limits = std::numeric_limits<double>;
  if (words_[not_a_number] != 0) return Limits::quiet_NaN();
  if (words_[plus_infinity] != 0 && words_[minus_infinity] != 0) return Limits::quiet_NaN();
  if (words_[plus_infinity] != 0) return Limits::infinity();
  if (words_[minus_infinity] != 0) return -Limits::infinity();

  ExactSum sum = *this;
  sum.propagate_carries();
  if (sum.words_[digits - 1] >= 0) {
    const bool minus_zero = sum.words_[minus_zeros] != 0 && sum.words_[others] == 0;
    return minus_zero ? -0.0 : sum.round_positive();
  }
  for (std::size_t i = 0; i < digits; ++i) sum.words_[i] = -sum.words_[i];
  sum.propagate_carries();
  return -sum.round_positive();
}

/// The nearest double of a value ≥ 0 whose carries have travelled: every digit in [0, 2^32), the
/// last one ≥ 0.
double ExactSum::round_positive() const noexcept {
  const auto digit = [&](std::size_t i) { return static_cast<std::uint64_t>(words_[i]); };
  std::size_t leading = digits - 1;
  while (leading > 0 && words_[leading] == 0) --leading;

  // Places are counted in bits from the lowest bit of digit 0.
  constexpr std::size_t lowest_place = 32 * first_double_digit;  // 2^-1074
  constexpr std::size_t significand_bits = 53;
  const std::size_t width = 32 * leading + static_cast<std::size_t>(std::bit_width(digit(leading)));
  const std::size_t place =  // of the result's last bit
      std::max(width, lowest_place + significand_bits) - significand_bits;
  if (place > lowest_place + 2045) return std::numeric_limits<double>::infinity();

  // What is kept, and the half below its last bit, from three digits: 65 bits or more.
  const std::size_t first = (place - 1) / 32;
  const auto shift = static_cast<unsigned>((place - 1) % 32);
  const Uint128 window = digit(first) | static_cast<Uint128>(digit(first + 1)) << 32 |
                         static_cast<Uint128>(digit(first + 2)) << 64;
  const auto doubled = static_cast<std::uint64_t>(window >> shift);
  const bool half = (doubled & 1) != 0;
  const bool more = (digit(first) & ((std::uint64_t{1} << shift) - 1)) != 0 ||
                    std::any_of(words_.begin(), words_.begin() + static_cast<std::ptrdiff_t>(first),
                                [](std::int64_t word) { return word != 0; });
  const std::uint64_t kept = doubled >> 1;
  const std::uint64_t significand = kept + (half && (more || (kept & 1) != 0) ? 1 : 0);
  // The leading bit of a normal significand, and a carry out of it, land in the exponent field.
  return std::bit_cast<double>(((place - lowest_place) << 52) + significand);
}

ExactSum all_reduce(const Communicator& comm, const ExactSum& local) {
  ExactSum sum = local;
  sum.propagate_carries();
  all_reduce(comm, std::span<std::int64_t>(sum.words_));
  sum.weight_ = comm.size();
  sum.propagate_carries();
  return sum;
}

double exact_sum(const Communicator& comm, std::span<const double> local) {
  ExactSum sum;
  sum.add(local);
  return all_reduce(comm, sum).round();
}

double exact_dot(const Communicator& comm, std::span<const double> a, std::span<const double> b) {
  ExactSum sum;
  sum.add_products(a, b);
  return all_reduce(comm, sum).round();
}

}  // namespace cairn
