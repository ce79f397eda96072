/// How long something took, many times.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace cairn::loadbalance {

/// A histogram in powers of two. Bin 0 is below 1 µs, bin i from 2^(i-1) µs to below 2^i µs, and
/// the last has all that is longer (18 minutes and more).
struct LatencyHistogram {
  static constexpr std::size_t bins = 32;

  std::array<std::uint64_t, bins> counts{};
  double total_seconds = 0;
  double longest_seconds = 0;

  void add(std::chrono::nanoseconds took) noexcept;
  void add(const LatencyHistogram& other) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept;
  [[nodiscard]] double mean_seconds() const noexcept;
  /// Where bin `i` ends, 2^i µs.
  [[nodiscard]] static double upper_us(std::size_t i) noexcept;
  /// The end of the bin where this share of all is reached: an upper bound of that quantile, except
  /// for the last bin; 0 if there is nothing.
  [[nodiscard]] double quantile_us(double share) const noexcept;

  friend bool operator==(const LatencyHistogram&, const LatencyHistogram&) = default;
};

}  // namespace cairn::loadbalance
