/// Sizes that all operations of a NodeGroup share.
#pragma once

#include <cstddef>

namespace cairn::detail {

constexpr std::size_t line_bytes = 128;  // two lines of 64 B, which x86 fetches together
/// What one rank hands to the others at once, of a message that is long.
constexpr std::size_t slot_bytes = std::size_t{32} << 10;
/// What two ranks swap at once at most. Both boxes and what is being read stay in a core's own
/// cache.
constexpr std::size_t box_bytes = 2 * slot_bytes;

constexpr std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

constexpr std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

}  // namespace cairn::detail
