/// Sums of many terms of any exponents.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "cairn/collectives/exact_sum.hpp"
#include "exact_bits.hpp"

namespace cairn {

/// Terms binned by sign and exponent, which costs a load, a count and an addition a term, in
/// integers (Neal's large superaccumulator). 80 KiB, of which the terms touch what their exponents
/// need.
///
/// A bin adds up the whole bit patterns modulo 2^64. Their upper 12 bits are the bin's number, so
/// that Σ fractions = sum - added · number · 2^52, and Σ significands < 2^11 · 2^53 is one word.
class ExactSum::Bins {
 public:
  /// For terms of `target`, which gets them when the bins are full and by empty().
  explicit Bins(ExactSum& target) noexcept : target_(target) {
    for (auto& lane : lanes_) lane.room.fill(0);
  }

  void add(std::span<const double> terms) noexcept {
    std::size_t i = 0;
    for (; i + lane_count <= terms.size(); i += lane_count) {
      for (std::size_t lane = 0; lane < lane_count; ++lane) add(lanes_[lane], terms[i + lane]);
    }
    for (; i < terms.size(); ++i) add(lanes_[0], terms[i]);
  }

  /// Two terms.
  void add(double first, double second) noexcept {
    add(lanes_[0], first);
    add(lanes_[1], second);
  }

  /// Moves what is in the bins to the target. Once, at the end.
  void empty() noexcept {
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

  void add(Lane& lane, double term) noexcept {
    const auto bits = std::bit_cast<std::uint64_t>(term);
    const std::size_t number = bits >> 52;
    if (--lane.room[number] < 0) [[unlikely]] {
      open(lane, number, bits);
      return;
    }
    lane.sum[number] += bits;
  }

  /// The first term of an unused or full bin.
  void open(Lane& lane, std::size_t number, std::uint64_t bits) noexcept {
    lane.room[number] = 0;
    if (exact::exponent_field(bits) == exact::special_exponent) {
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

  void empty(const Lane& lane, std::size_t number) noexcept {
    const auto added = static_cast<std::uint64_t>(capacity - lane.room[number]);
    const std::uint64_t pattern = static_cast<std::uint64_t>(number) << 52;
    const std::uint64_t fractions = lane.sum[number] - added * pattern;
    const auto [leading, scale] = exact::parts_of(pattern);
    const std::size_t digit = exact::first_double_digit + scale / 32;
    target_.add_at(digit, scale % 32, fractions + added * leading, exact::sign_of(pattern));
    target_.words_[pattern == exact::sign_bit && fractions == 0 ? minus_zeros : others] += 1;
    target_.count_additions(1);
  }

  ExactSum& target_;
  std::array<Lane, lane_count> lanes_;
};

}  // namespace cairn
