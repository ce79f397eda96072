#include "copy_bytes.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cairn::detail {

namespace {

#if defined(__x86_64__)

/// Below this glibc uses no `rep movsb`. Processors with AVX2 execute `prefetchw`, or skip it.
constexpr std::size_t least_bytes = 1024;

/// The loop of both copies; every step is two cache lines. With a distance that is not 0 the lines
/// so far ahead are asked for with the right to write them.
template <std::size_t prefetch_distance>
[[gnu::target("avx2,prfchw")]] inline void copy_steps(std::byte* to, const std::byte* from,
                                                      std::size_t bytes) noexcept {
  constexpr std::size_t step = 4 * sizeof(__m256i);
  std::size_t i = 0;
  for (; i + step <= bytes; i += step) {
    const auto* const source = reinterpret_cast<const __m256i*>(from + i);
    auto* const target = reinterpret_cast<__m256i*>(to + i);
    if constexpr (prefetch_distance != 0) {
      // May go beyond the end: a prefetch never faults.
      __builtin_prefetch(to + i + prefetch_distance, 1);
      __builtin_prefetch(to + i + prefetch_distance + step / 2, 1);
    }
    const __m256i a = _mm256_loadu_si256(source);
    const __m256i b = _mm256_loadu_si256(source + 1);
    const __m256i c = _mm256_loadu_si256(source + 2);
    const __m256i d = _mm256_loadu_si256(source + 3);
    _mm256_storeu_si256(target, a);
    _mm256_storeu_si256(target + 1, b);
    _mm256_storeu_si256(target + 2, c);
    _mm256_storeu_si256(target + 3, d);
  }
  std::memcpy(to + i, from + i, bytes - i);
}

[[gnu::target("avx2,prfchw")]] void copy_avx2(std::byte* to, const std::byte* from,
                                              std::size_t bytes) noexcept {
  copy_steps<0>(to, from, bytes);
}

[[gnu::target("avx2,prfchw")]] void give_avx2(std::byte* to, const std::byte* from,
                                              std::size_t bytes) noexcept {
  copy_steps<512>(to, from, bytes);
}

template <std::size_t places>
[[gnu::target("avx2")]] void fetch_avx2(std::byte* to, const std::byte* from,
                                        std::size_t bytes) noexcept {
  constexpr std::size_t step = 2 * sizeof(__m256i);
  const std::size_t part = bytes / places / step * step;
  for (std::size_t i = 0; i < part; i += step) {
    for (std::size_t place = 0; place < places; ++place) {
      const auto* const source = reinterpret_cast<const __m256i*>(from + place * part + i);
      auto* const target = reinterpret_cast<__m256i*>(to + place * part + i);
      const __m256i a = _mm256_loadu_si256(source);
      const __m256i b = _mm256_loadu_si256(source + 1);
      _mm256_storeu_si256(target, a);
      _mm256_storeu_si256(target + 1, b);
    }
  }
  std::memcpy(to + places * part, from + places * part, bytes - places * part);
}

bool has_avx2() noexcept {
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
}

#endif

}  // namespace

void copy_bytes(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
#if defined(__x86_64__)
  if (bytes >= least_bytes && has_avx2()) {
    copy_avx2(to, from, bytes);
    return;
  }
#endif
  if (bytes != 0) std::memcpy(to, from, bytes);
}

void give_bytes(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
#if defined(__x86_64__)
  if (bytes >= least_bytes && has_avx2()) {
    give_avx2(to, from, bytes);
    return;
  }
#endif
  copy_bytes(to, from, bytes);
}

void stream_bytes(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
#if defined(__x86_64__)
  constexpr std::size_t line = 64;
  const std::size_t head = std::min(bytes, -reinterpret_cast<std::uintptr_t>(to) % line);
  copy_bytes(to, from, head);
  std::size_t i = head;
  for (; i + line <= bytes; i += line) {
    const auto* const source = reinterpret_cast<const __m128i*>(from + i);
    auto* const target = reinterpret_cast<__m128i*>(to + i);
    for (int part = 0; part < 4; ++part)
      _mm_stream_si128(target + part, _mm_loadu_si128(source + part));
  }
  copy_bytes(to + i, from + i, bytes - i);
  _mm_sfence();  // a release store orders only the stores that go through the caches
#else
  copy_bytes(to, from, bytes);
#endif
}

void fetch_bytes(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
#if defined(__x86_64__)
  constexpr std::size_t places = 4;
  if (bytes >= least_bytes && has_avx2()) {
    fetch_avx2<places>(to, from, bytes);
    return;
  }
#endif
  copy_bytes(to, from, bytes);
}

}  // namespace cairn::detail
