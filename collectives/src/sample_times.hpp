/// A few times of the same thing, and those that stand in the middle and near the ends.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace cairn::detail {

inline constexpr std::size_t sample_count = 7;
using SampleTimes = std::array<double, sample_count>;

/// The value that so many others are not greater than.
[[nodiscard]] inline double ranked(SampleTimes values, std::size_t place) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(place),
                   values.end());
  return values[place];
}

[[nodiscard]] inline double median(const SampleTimes& values) {
  return ranked(values, sample_count / 2);
}

}  // namespace cairn::detail
