// SHA-1 of sixteen children side by side, one in each 32-bit element of AVX-512 registers.
#include "sha1_kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <utility>

#if !defined(__clang__)
// False alarms from the undefined lanes in GCC's own header (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define CAIRN_AVX512 __attribute__((target("avx512f"), always_inline)) inline

namespace cairn::uts {

namespace {

constexpr std::size_t lanes = 16;

// How _mm512_ternarylogic_epi32(b, c, d, …) combines three bits.
constexpr int choose = 0xca;
constexpr int parity = 0x96;
constexpr int majority = 0xe8;

CAIRN_AVX512 __m512i all_lanes(std::uint32_t word) {
  return _mm512_set1_epi32(static_cast<int>(word));
}

/// Sixteen children on their way through the 80 rounds.
struct Lanes {
  __m512i w[16];
  __m512i a, b, c, d, e;
  __m512i depth;
};

/// The words that the schedule combines to word t, without those of the message that are zero: 7
/// to 14.
struct Earlier {
  int count = 0;
  int words[4] = {};
};
constexpr Earlier earlier_than(int t) {
  Earlier earlier;
  for (const int word : {t - 16, t - 14, t - 8, t - 3})
    if (word < 7 || word > 14) earlier.words[earlier.count++] = word % 16;
  return earlier;
}

template <int t>
CAIRN_AVX512 __m512i scheduled(const Lanes& r) {
  constexpr Earlier earlier = earlier_than(t);
  static_assert(2 <= earlier.count && earlier.count <= 4);
  const __m512i first = r.w[earlier.words[0]], second = r.w[earlier.words[1]];
  if constexpr (earlier.count == 2) return _mm512_rol_epi32(_mm512_xor_si512(first, second), 1);
  const __m512i three = _mm512_ternarylogic_epi32(first, second, r.w[earlier.words[2]], parity);
  if constexpr (earlier.count == 3) return _mm512_rol_epi32(three, 1);
  return _mm512_rol_epi32(_mm512_xor_si512(three, r.w[earlier.words[3]]), 1);
}

template <int t, int mix>
CAIRN_AVX512 void one_round(Lanes& r) {
  if constexpr (t >= 16) r.w[t % 16] = scheduled<t>(r);
  const __m512i constant = _mm512_add_epi32(r.e, all_lanes(sha1_constants[t / 20]));
  const __m512i mixed = _mm512_ternarylogic_epi32(r.b, r.c, r.d, mix);
  const __m512i sum = _mm512_add_epi32(_mm512_add_epi32(constant, r.w[t % 16]), mixed);
  const __m512i next = _mm512_add_epi32(sum, _mm512_rol_epi32(r.a, 5));
  r.e = r.d;
  r.d = r.c;
  r.c = _mm512_rol_epi32(r.b, 30);
  r.b = r.a;
  r.a = next;
}

template <int t, std::size_t n>
CAIRN_AVX512 void one_round_of_all(Lanes (&all)[n]) {
  constexpr int mix = t < 20 ? choose : 40 <= t && t < 60 ? majority : parity;
  one_round<t, mix>(all[0]);
  if constexpr (n > 1) one_round<t, mix>(all[1]);
}

/// Behind the first two.
template <std::size_t n, int... t>
CAIRN_AVX512 void other_rounds(Lanes (&all)[n], std::integer_sequence<int, t...>) {
  (one_round_of_all<t + 2>(all), ...);
}

/// The odd words of 32.
CAIRN_AVX512 __m512i odds(__m512i low, __m512i high) {
  const __m512i odd = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
  return _mm512_permutex2var_epi32(low, odd, high);
}

/// Two nodes side by side, each followed by two words of zeros.
CAIRN_AVX512 __m512i load_two(const Node& first, const Node& second) {
  const __m256i six = _mm256_set_epi32(0, 0, -1, -1, -1, -1, -1, -1);
  const auto load = [&](const Node& node) __attribute__((target("avx512f"), always_inline)) {
    return _mm256_maskload_epi32(reinterpret_cast<const int*>(&node), six);  // NOLINT
  };
  return _mm512_inserti64x4(_mm512_castsi256_si512(load(first)), load(second), 1);
}

/// Word k of parent i of sixteen goes to element i of words[k]. Loads and shuffles, as gathers take
/// longer than the rounds can hide.
CAIRN_AVX512 void load_parents(const Node* parents, const Child* wanted, __m512i (&words)[6]) {
  __m512i low[2][2], high[2][2];  // [rows 0-3 or 4-7][pairs of these]: words 0 1 4 5, and 2 3
#pragma GCC unroll 2
  for (std::size_t four = 0; four < 2; ++four) {
#pragma GCC unroll 2
    for (std::size_t pair = 0; pair < 2; ++pair) {
      const Child* const child = wanted + 4 * four + 2 * pair;
      const __m512i even = load_two(parents[child[0].parent], parents[child[8].parent]);
      const __m512i odd = load_two(parents[child[1].parent], parents[child[9].parent]);
      low[four][pair] = _mm512_unpacklo_epi32(even, odd);
      high[four][pair] = _mm512_unpackhi_epi32(even, odd);
    }
  }
  // Rows 0 to 3 and 8 to 11 of words 0 and 4, 1 and 5, 2, 3; and the other rows.
  __m512i upper[4], lower[4];
  upper[0] = _mm512_unpacklo_epi64(low[0][0], low[0][1]);
  upper[1] = _mm512_unpackhi_epi64(low[0][0], low[0][1]);
  upper[2] = _mm512_unpacklo_epi64(high[0][0], high[0][1]);
  upper[3] = _mm512_unpackhi_epi64(high[0][0], high[0][1]);
  lower[0] = _mm512_unpacklo_epi64(low[1][0], low[1][1]);
  lower[1] = _mm512_unpackhi_epi64(low[1][0], low[1][1]);
  lower[2] = _mm512_unpacklo_epi64(high[1][0], high[1][1]);
  lower[3] = _mm512_unpackhi_epi64(high[1][0], high[1][1]);
  const __m512i first = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0);
  const __m512i second = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
#pragma GCC unroll 4
  for (std::size_t k = 0; k < 4; ++k)
    words[k] = _mm512_permutex2var_epi64(upper[k], first, lower[k]);
  words[4] = _mm512_permutex2var_epi64(upper[0], second, lower[0]);
  words[5] = _mm512_permutex2var_epi64(upper[1], second, lower[1]);
}

/// The first two, which mix nothing but what each block starts from: what they add to their words
/// is known.
CAIRN_AVX512 void two_rounds(Lanes& r) {
  constexpr std::uint32_t a = sha1_start[0], b = sha1_start[1], c = sha1_start[2],
                          d = sha1_start[3], e = sha1_start[4];
  constexpr std::uint32_t turned = std::rotl(b, 30);
  constexpr std::uint32_t first = std::rotl(a, 5) + (d ^ (b & (c ^ d))) + e + sha1_constants[0];
  constexpr std::uint32_t second = (c ^ (a & (turned ^ c))) + d + sha1_constants[0];
  r.b = _mm512_add_epi32(r.w[0], all_lanes(first));
  r.a = _mm512_add_epi32(_mm512_add_epi32(r.w[1], all_lanes(second)), _mm512_rol_epi32(r.b, 5));
  r.c = all_lanes(std::rotl(a, 30));
  r.d = all_lanes(turned);
  r.e = all_lanes(c);
}

CAIRN_AVX512 void start(const Node* parents, const Child* wanted, Lanes& r) {
  const auto* pairs = reinterpret_cast<const __m512i*>(wanted);  // NOLINT
  const __m512i low = _mm512_loadu_si512(pairs), high = _mm512_loadu_si512(pairs + 1);
  __m512i words[6];
  load_parents(parents, wanted, words);
#pragma GCC unroll 5
  for (std::size_t k = 0; k < 5; ++k) r.w[k] = words[k];
  r.depth = _mm512_add_epi32(words[5], _mm512_set1_epi32(1));
  r.w[5] = odds(low, high);
  r.w[6] = all_lanes(sha1_end_mark);
#pragma GCC unroll 8
  for (std::size_t k = 7; k < 15; ++k) r.w[k] = _mm512_setzero_si512();
  r.w[15] = all_lanes(message_bits);
  two_rounds(r);
}

/// Eight nodes from their words, in pairs: a and b, c and d, e and depth.
CAIRN_AVX512 void store_eight(__m512i ab, __m512i cd, __m512i ef, Node* children) {
  auto* out = reinterpret_cast<__m512i*>(children);  // NOLINT
  // Pairs of one node stand side by side; 8 + i is pair i of the second operand.
  const __m512i ab_cd_0 = _mm512_set_epi64(10, 2, 0, 9, 1, 0, 8, 0);
  const __m512i ef_0 = _mm512_set_epi64(7, 6, 9, 4, 3, 8, 1, 0);
  const __m512i ab_cd_1 = _mm512_set_epi64(5, 0, 12, 4, 0, 11, 3, 0);
  const __m512i ef_1 = _mm512_set_epi64(7, 12, 5, 4, 11, 2, 1, 10);
  const __m512i ab_cd_2 = _mm512_set_epi64(0, 15, 7, 0, 14, 6, 0, 13);
  const __m512i ef_2 = _mm512_set_epi64(15, 6, 5, 14, 3, 2, 13, 0);
  const __m512i abcd_0 = _mm512_permutex2var_epi64(ab, ab_cd_0, cd);
  _mm512_storeu_si512(out, _mm512_permutex2var_epi64(abcd_0, ef_0, ef));
  const __m512i abcd_1 = _mm512_permutex2var_epi64(ab, ab_cd_1, cd);
  _mm512_storeu_si512(out + 1, _mm512_permutex2var_epi64(abcd_1, ef_1, ef));
  const __m512i abcd_2 = _mm512_permutex2var_epi64(ab, ab_cd_2, cd);
  _mm512_storeu_si512(out + 2, _mm512_permutex2var_epi64(abcd_2, ef_2, ef));
}

CAIRN_AVX512 void finish(const Lanes& r, Node* children) {
  const __m512i low = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const __m512i high =
      _mm512_set_epi32(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8);
  const __m512i a = _mm512_add_epi32(r.a, all_lanes(sha1_start[0]));
  const __m512i b = _mm512_add_epi32(r.b, all_lanes(sha1_start[1]));
  const __m512i c = _mm512_add_epi32(r.c, all_lanes(sha1_start[2]));
  const __m512i d = _mm512_add_epi32(r.d, all_lanes(sha1_start[3]));
  const __m512i e = _mm512_add_epi32(r.e, all_lanes(sha1_start[4]));
  store_eight(_mm512_permutex2var_epi32(a, low, b), _mm512_permutex2var_epi32(c, low, d),
              _mm512_permutex2var_epi32(e, low, r.depth), children);
  store_eight(_mm512_permutex2var_epi32(a, high, b), _mm512_permutex2var_epi32(c, high, d),
              _mm512_permutex2var_epi32(e, high, r.depth), children + 8);
}

/// 16 or 32 children. Two sixteens side by side, because one alone would wait for itself.
template <std::size_t n>
__attribute__((target("avx512f"))) void spawn_sixteens(const Node* parents, const Child* wanted,
                                                       Node* children) {
  Lanes all[n];
  for (std::size_t i = 0; i < n; ++i) start(parents, wanted + 16 * i, all[i]);
  other_rounds(all, std::make_integer_sequence<int, 78>{});
  for (std::size_t i = 0; i < n; ++i) finish(all[i], children + 16 * i);
}

}  // namespace

bool has_avx512() { return __builtin_cpu_supports("avx512f") != 0; }

void spawn_avx512(std::span<const Node> parents, std::span<const Child> wanted, Node* children) {
  std::size_t i = 0;
  for (; i + 32 <= wanted.size(); i += 32)
    spawn_sixteens<2>(parents.data(), wanted.data() + i, children + i);
  for (; i + lanes <= wanted.size(); i += lanes)
    spawn_sixteens<1>(parents.data(), wanted.data() + i, children + i);
  const std::size_t rest = wanted.size() - i;
  if (rest == 0) return;
  static const bool sha_ni = has_sha_ni();
  if (sha_ni && rest <= 8) return spawn_sha_ni(parents, wanted.subspan(i), children + i);
  Child padded[lanes];
  for (std::size_t lane = 0; lane < lanes; ++lane)
    padded[lane] = wanted[i + std::min(lane, rest - 1)];
  Node made[lanes];
  spawn_sixteens<1>(parents.data(), padded, made);
  std::copy_n(made, rest, children + i);
}

}  // namespace cairn::uts
#endif
