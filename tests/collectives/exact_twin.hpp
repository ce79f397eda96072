/// A brute-force twin of ExactSum: big integers, bit by bit, and "nearest" by comparing distances
/// instead of by rounding.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace cairn::test {

/// An unsigned integer of any size.
class Big {
 public:
  /// Adds value · 2^shift.
  void add(std::uint64_t value, std::size_t shift) {
    for (std::size_t bit = 0; bit < 64; ++bit) {
      if ((value >> bit & 1) != 0) add_bit(bit + shift);
    }
  }
  void add(const Big& other) {
    for (std::size_t i = 0; i < other.parts_.size(); ++i) add(other.parts_[i], 32 * i);
  }
  /// Subtracts `other` ≤ *this.
  void subtract(const Big& other) {
    std::int64_t borrow = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      std::int64_t difference = static_cast<std::int64_t>(parts_[i]) - other.part(i) - borrow;
      borrow = difference < 0 ? 1 : 0;
      if (difference < 0) difference += std::int64_t{1} << 32;
      parts_[i] = static_cast<std::uint32_t>(difference);
    }
  }
  /// -1, 0 or 1 for less, equal, greater.
  [[nodiscard]] int compare(const Big& other) const {
    for (std::size_t i = std::max(parts_.size(), other.parts_.size()); i-- > 0;) {
      if (part(i) != other.part(i)) return part(i) < other.part(i) ? -1 : 1;
    }
    return 0;
  }
  [[nodiscard]] bool is_zero() const { return compare(Big()) == 0; }

 private:
  [[nodiscard]] std::int64_t part(std::size_t i) const { return i < parts_.size() ? parts_[i] : 0; }
  void add_bit(std::size_t position) {
    std::size_t i = position / 32;
    std::uint64_t carry = std::uint64_t{1} << (position % 32);
    for (; carry != 0; ++i) {
      if (i >= parts_.size()) parts_.resize(i + 1);
      carry += parts_[i];
      parts_[i] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
  }
  std::vector<std::uint32_t> parts_;
};

/// |x| as an integer below 2^53 times 2^exponent.
struct Decomposed {
  std::uint64_t integer;
  int exponent;
};

inline Decomposed decompose(double x) {
  int exponent = 0;
  const double fraction = std::frexp(std::abs(x), &exponent);
  return {static_cast<std::uint64_t>(std::ldexp(fraction, 53)), exponent - 53};
}

/// The exact sum of finite doubles and products, in units of 2^-2300.
class ExactTwin {
 public:
  void add(double x) { add_product(x, 1.0); }
  void add(std::span<const double> terms) {
    for (const double x : terms) add(x);
  }
  void add_product(double a, double b) {
    const auto [m, e] = decompose(a);
    const auto [n, f] = decompose(b);
    Big& side = std::signbit(a) != std::signbit(b) ? negative_ : positive_;
    for (std::size_t bit = 0; bit < 53; ++bit) {
      if ((n >> bit & 1) != 0) side.add(m, place_of(e + f) + bit);
    }
  }
  void double_it() {
    positive_.add(Big(positive_));
    negative_.add(Big(negative_));
  }

  /// Whether `rounded` is the double nearest to the exact sum, the even one of two; with its sign
  /// where the sum is not 0.
  [[nodiscard]] bool is_nearest(double rounded) const {
    if (std::isnan(rounded)) return false;
    const int order = positive_.compare(negative_);
    if (order == 0) return rounded == 0.0;
    if (std::signbit(rounded) != (order < 0)) return false;
    Big twice = order > 0 ? positive_ : negative_;
    twice.subtract(order > 0 ? negative_ : positive_);
    twice.add(Big(twice));

    const double x = std::abs(rounded);
    const bool even = is_even(x);
    if (x > 0.0) {
      const int above_lower = twice.compare(sum_of(x, std::nextafter(x, 0.0)));
      if (above_lower < 0 || (above_lower == 0 && !even)) return false;
    }
    if (!std::isinf(x)) {
      const int below_upper =
          twice.compare(sum_of(x, std::nextafter(x, std::numeric_limits<double>::infinity())));
      if (below_upper > 0 || (below_upper == 0 && !even)) return false;
    }
    return true;
  }

 private:
  /// The bit that weighs 2^exponent.
  static std::size_t place_of(int exponent) {
    const int place = exponent + 2300;
    return static_cast<std::size_t>(place);
  }

  /// Whether the last bit of the significand is 0; so it is for 2^1024, which infinity stands for.
  static bool is_even(double x) {
    using Limits = std::numeric_limits<double>;
    if (std::isinf(x)) return true;
    if (x < Limits::min()) return std::fmod(x / Limits::denorm_min(), 2.0) == 0.0;
    return decompose(x).integer % 2 == 0;
  }
  /// x + y ≥ 0, with infinity for 2^1024.
  static Big sum_of(double x, double y) {
    Big sum;
    for (const double v : {x, y}) {
      if (std::isinf(v)) {
        sum.add(1, place_of(1024));
      } else {
        const auto [m, e] = decompose(v);
        sum.add(m, place_of(e));
      }
    }
    return sum;
  }
  Big positive_;
  Big negative_;
};

}  // namespace cairn::test
