/// Random numbers as a function of (seed, stream, index): no state, so neither ranks nor restarts
/// change them.
#pragma once

#include <array>
#include <cstdint>

namespace cairn {

/// Philox4x32-10: ten rounds over a 128-bit counter under a 64-bit key.
///
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
/// doi:10.1145/2063384.2063405. Checked against the known-answer vectors of the authors' Random123.
[[nodiscard]] std::array<std::uint32_t, 4> philox_4x32_10(
    std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) noexcept;

/// A stream of random numbers that can be read at any index, in any order, on any rank.
class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0) noexcept
      : seed_(seed), stream_(stream) {}

  /// 64 uniform bits at `index`.
  [[nodiscard]] std::uint64_t bits(std::uint64_t index) const noexcept;

  /// Uniform in [0, 1), a multiple of 2^-53.
  [[nodiscard]] double uniform(std::uint64_t index) const noexcept;

  /// Uniform in [0, bound) up to a bias of bound/2^64 (Lemire's multiply-shift); bound > 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t index, std::uint64_t bound) const noexcept;

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
};

}  // namespace cairn
