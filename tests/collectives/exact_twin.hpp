/// A brute-force twin of ExactSum: big integers, and "nearest" by comparing distances instead of by
/// rounding.
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
    const std::uint64_t low = (value & 0xffffffff) << (shift % 32);
    const std::uint64_t high = (value >> 32) << (shift % 32);
    add_part(shift / 32, low & 0xffffffff);
    add_part(shift / 32 + 1, low >> 32);
    add_part(shift / 32 + 1, high & 0xffffffff);
    add_part(shift / 32 + 2, high >> 32);
  }
  /// Adds m · n · 2^shift.
  void add_product(std::uint64_t m, std::uint64_t n, std::size_t shift) {
    for (std::size_t i = 0; i < 2; ++i) {
      for (std::size_t j = 0; j < 2; ++j) {
        add((m >> (32 * i) & 0xffffffff) * (n >> (32 * j) & 0xffffffff), shift + 32 * (i + j));
      }
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
  void add_part(std::size_t i, std::uint64_t carry) {
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
    side.add_product(m, n, place_of(e + f));
  }
  void add_products(std::span<const double> a, std::span<const double> b) {
    for (std::size_t i = 0; i < a.size(); ++i) add_product(a[i], b[i]);
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

  /// Whether `root` is the double nearest to the square root of the exact sum, which is not below
  /// 0.
  [[nodiscard]] bool is_nearest_root(double root) const {
    if (std::isnan(root) || positive_.compare(negative_) < 0) return false;
    Big sum = positive_;
    sum.subtract(negative_);
    if (sum.is_zero()) return root == 0.0;
    const double below = std::nextafter(root, 0.0);
    const double above = std::nextafter(root, std::numeric_limits<double>::infinity());
    const bool even = is_even(root);
    const int above_lower = sum.compare(square_of_middle(below, root));
    if (root > 0.0 && (above_lower < 0 || (above_lower == 0 && !even))) return false;
    if (std::isinf(root)) return true;
    const int below_upper = sum.compare(square_of_middle(root, above));
    return below_upper < 0 || (below_upper == 0 && even);
  }

 private:
  /// ((x + y) / 2)² of neighbours 0 ≤ x < y, with infinity for 2^1024. Their sum has at most 54
  /// bits.
  static Big square_of_middle(double x, double y) {
    if (x == y) return {};
    const int exponent = std::isinf(y) ? 971 : decompose(y).exponent;
    const int unit = std::max(exponent - 1, -1074);  // divides x, and so y
    const auto in_units = [&](double v) {
      return std::isinf(v) ? std::uint64_t{1} << (1024 - unit)
                           : static_cast<std::uint64_t>(std::ldexp(v, -unit));
    };
    const std::uint64_t middle = in_units(x) + in_units(y);  // in halves of the unit
    Big square;
    square.add_product(middle, middle, place_of(2 * unit - 2));
    return square;
  }

  /// The bit that weighs 2^exponent.
  static std::size_t place_of(int exponent) {
    const int place = exponent + 2300;
    return static_cast<std::size_t>(place);
  }

  /// Whether the last bit of the significand is 0; so it is for 2^1024, which infinity stands for.
  static bool is_even(double x) {
    if (std::isinf(x)) return true;
    if (x < std::numeric_limits<double>::min())
      return std::fmod(x / std::numeric_limits<double>::denorm_min(), 2.0) == 0.0;
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
