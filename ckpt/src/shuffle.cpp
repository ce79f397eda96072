#include "shuffle.hpp"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace cairn::ckpt {

namespace {

/// Elements [first, last), one byte at a time.
void shuffle_plainly(const std::byte* from, std::size_t size, std::byte* to, std::size_t n,
                     std::size_t first) {
  for (std::size_t b = 0; b < size; ++b)
    for (std::size_t i = first; i < n; ++i) to[b * n + i] = from[i * size + b];
}

void unshuffle_plainly(const std::byte* from, std::size_t size, std::byte* to, std::size_t n,
                       std::size_t first) {
  for (std::size_t b = 0; b < size; ++b)
    for (std::size_t i = first; i < n; ++i) to[i * size + b] = from[b * n + i];
}

#ifdef __SSE2__

// Sixteen elements of S bytes are S vectors. Seen as bits, a byte's place is (element, byte) =
// (e3 e2 e1 e0, b…), and one round of `interleave` turns all places by one bit; four rounds take
// the element's bits to the low end, and as many rounds as S has bits bring them back.

template <std::size_t S>
struct Vectors {
  __m128i v[S];
  __m128i& operator[](std::size_t i) { return v[i]; }
  const __m128i& operator[](std::size_t i) const { return v[i]; }
};

/// Vector i and vector i + S/2, byte by byte.
template <std::size_t S>
Vectors<S> interleave(const Vectors<S>& in) {
  Vectors<S> out;
  for (std::size_t i = 0; i < S / 2; ++i) {
    out[2 * i] = _mm_unpacklo_epi8(in[i], in[i + S / 2]);
    out[2 * i + 1] = _mm_unpackhi_epi8(in[i], in[i + S / 2]);
  }
  return out;
}

template <std::size_t S>
std::size_t shuffle_by_sixteen(const std::byte* from, std::byte* to, std::size_t n) {
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    Vectors<S> v;
    for (std::size_t k = 0; k < S; ++k)
      v[k] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i * S + 16 * k));
    for (int round = 0; round < 4; ++round) v = interleave(v);
    for (std::size_t k = 0; k < S; ++k)
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + k * n + i), v[k]);
  }
  return i;
}

template <std::size_t S>
std::size_t unshuffle_by_sixteen(const std::byte* from, std::byte* to, std::size_t n) {
  constexpr int rounds = S == 4 ? 2 : S == 8 ? 3 : 4;
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    Vectors<S> v;
    for (std::size_t k = 0; k < S; ++k)
      v[k] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + k * n + i));
    for (int round = 0; round < rounds; ++round) v = interleave(v);
    for (std::size_t k = 0; k < S; ++k)
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i * S + 16 * k), v[k]);
  }
  return i;
}

std::size_t shuffle_vectors(const std::byte* from, std::size_t size, std::byte* to, std::size_t n) {
  if (size == 4) return shuffle_by_sixteen<4>(from, to, n);
  if (size == 8) return shuffle_by_sixteen<8>(from, to, n);
  if (size == 16) return shuffle_by_sixteen<16>(from, to, n);
  return 0;
}

std::size_t unshuffle_vectors(const std::byte* from, std::size_t size, std::byte* to,
                              std::size_t n) {
  if (size == 4) return unshuffle_by_sixteen<4>(from, to, n);
  if (size == 8) return unshuffle_by_sixteen<8>(from, to, n);
  if (size == 16) return unshuffle_by_sixteen<16>(from, to, n);
  return 0;
}

#else

std::size_t shuffle_vectors(const std::byte*, std::size_t, std::byte*, std::size_t) { return 0; }
std::size_t unshuffle_vectors(const std::byte*, std::size_t, std::byte*, std::size_t) { return 0; }

#endif

}  // namespace

void shuffle(std::span<const std::byte> from, std::size_t element_bytes, std::span<std::byte> to) {
  const auto n = from.size() / element_bytes;
  const auto done = shuffle_vectors(from.data(), element_bytes, to.data(), n);
  shuffle_plainly(from.data(), element_bytes, to.data(), n, done);
}

void unshuffle(std::span<const std::byte> from, std::size_t element_bytes,
               std::span<std::byte> to) {
  const auto n = from.size() / element_bytes;
  const auto done = unshuffle_vectors(from.data(), element_bytes, to.data(), n);
  unshuffle_plainly(from.data(), element_bytes, to.data(), n, done);
}

}  // namespace cairn::ckpt
