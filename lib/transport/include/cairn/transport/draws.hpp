/// Random numbers for simulations: a function of (seed, stream, index), as everywhere, but of one
/// multiplication chain instead of ten Philox rounds, since a simulated step costs only 100 ns.
#pragma once

#include <cstdint>

namespace cairn::transport {

/// SplitMix64's output function: every bit of the result depends on every bit of `x`.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014,
/// doi:10.1145/2660193.2660195.
[[nodiscard]] constexpr std::uint64_t mixed(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// Draws one number after the other from the stream (seed, stream).
class Draws {
 public:
  explicit constexpr Draws(std::uint64_t seed, std::uint64_t stream = 0) noexcept
      : state_(mixed(seed + step) ^ mixed(stream * step + 1)) {}

  /// 64 uniform bits.
  constexpr std::uint64_t bits() noexcept { return mixed(state_ += step); }

  /// Uniform in [0, bound), bound > 0; biased by bound / 2^32.
  constexpr std::uint32_t below(std::uint32_t bound) noexcept {
    return static_cast<std::uint32_t>(((bits() >> 32) * bound) >> 32);
  }

  /// True with probability `of_65536` / 65536.
  constexpr bool chance(std::uint32_t of_65536) noexcept { return (bits() >> 48) < of_65536; }

 private:
  static constexpr std::uint64_t step = 0x9e3779b97f4a7c15ULL;
  std::uint64_t state_;
};

}  // namespace cairn::transport
