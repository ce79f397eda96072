// SHA-1 by the SHA extensions of x86: four children at a time, since one alone would wait for
// itself.
#include "sha1_kernels.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <utility>

#define CAIRN_SHA_NI __attribute__((target("sha,sse4.1"), always_inline)) inline

namespace cairn::uts {

namespace {

constexpr std::size_t lanes = 4;

/// One child on its way through the 80 rounds. Words stand in descending order: w[0] of the block
/// is the highest element of `message[0]`, a the highest of `abcd`.
struct Lane {
  __m128i message[4];
  __m128i abcd;
  __m128i before;  // abcd of four rounds ago, whose a makes the next e
};

CAIRN_SHA_NI Lane start(const Node& parent, std::uint32_t index) {
  const __m128i words =
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(parent.state.data()));  // NOLINT
  Lane lane;
  lane.message[0] = _mm_shuffle_epi32(words, 0x1b);
  lane.message[1] = _mm_set_epi32(static_cast<int>(parent.state[4]), static_cast<int>(index),
                                  static_cast<int>(sha1_end_mark), 0);
  lane.message[2] = _mm_setzero_si128();
  lane.message[3] = _mm_set_epi32(0, 0, 0, static_cast<int>(message_bits));
  lane.abcd = _mm_set_epi32(static_cast<int>(sha1_start[0]), static_cast<int>(sha1_start[1]),
                            static_cast<int>(sha1_start[2]), static_cast<int>(sha1_start[3]));
  lane.before = lane.abcd;
  return lane;
}

/// Rounds 4 * group to 4 * group + 3.
template <int group>
CAIRN_SHA_NI void four_rounds(Lane& lane) {
  __m128i& words = lane.message[group % 4];
  if constexpr (group >= 4) {
    const __m128i mixed = _mm_xor_si128(_mm_sha1msg1_epu32(words, lane.message[(group + 1) % 4]),
                                        lane.message[(group + 2) % 4]);
    words = _mm_sha1msg2_epu32(mixed, lane.message[(group + 3) % 4]);
  }
  const __m128i start_e = _mm_set_epi32(static_cast<int>(sha1_start[4]), 0, 0, 0);
  const __m128i e_and_words =
      group == 0 ? _mm_add_epi32(start_e, words) : _mm_sha1nexte_epu32(lane.before, words);
  lane.before = lane.abcd;
  lane.abcd = _mm_sha1rnds4_epu32(lane.abcd, e_and_words, group / 5);
}

template <int group>
CAIRN_SHA_NI void four_rounds_of_all(Lane (&all)[lanes]) {
  four_rounds<group>(all[0]);
  four_rounds<group>(all[1]);
  four_rounds<group>(all[2]);
  four_rounds<group>(all[3]);
}

template <int... group>
CAIRN_SHA_NI void all_rounds(Lane (&all)[lanes], std::integer_sequence<int, group...>) {
  (four_rounds_of_all<group>(all), ...);
}

CAIRN_SHA_NI void finish(const Lane& lane, std::int32_t depth, Node* child) {
  const __m128i start_abcd =
      _mm_set_epi32(static_cast<int>(sha1_start[0]), static_cast<int>(sha1_start[1]),
                    static_cast<int>(sha1_start[2]), static_cast<int>(sha1_start[3]));
  const __m128i start_e = _mm_set_epi32(static_cast<int>(sha1_start[4]), 0, 0, 0);
  const __m128i abcd = _mm_add_epi32(lane.abcd, start_abcd);
  const __m128i e = _mm_sha1nexte_epu32(lane.before, start_e);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(child->state.data()),  // NOLINT
                   _mm_shuffle_epi32(abcd, 0x1b));
  child->state[4] = static_cast<std::uint32_t>(_mm_extract_epi32(e, 3));
  child->depth = depth;
}

__attribute__((target("sha,sse4.1"))) void spawn_four(const Node* parents, const Child* wanted,
                                                      Node* children) {
  Lane all[lanes] = {start(parents[wanted[0].parent], wanted[0].index),
                     start(parents[wanted[1].parent], wanted[1].index),
                     start(parents[wanted[2].parent], wanted[2].index),
                     start(parents[wanted[3].parent], wanted[3].index)};
  all_rounds(all, std::make_integer_sequence<int, 20>{});
  for (std::size_t i = 0; i < lanes; ++i)
    finish(all[i], parents[wanted[i].parent].depth + 1, children + i);
}

}  // namespace

bool has_sha_ni() {
  unsigned a = 0, b = 0, c = 0, d = 0;  // __builtin_cpu_supports does not know it before GCC 14
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  return (b & (1U << 29)) != 0 && __builtin_cpu_supports("sse4.1") != 0;
}

void spawn_sha_ni(std::span<const Node> parents, std::span<const Child> wanted, Node* children) {
  std::size_t i = 0;
  for (; i + lanes <= wanted.size(); i += lanes)
    spawn_four(parents.data(), wanted.data() + i, children + i);
  const std::size_t rest = wanted.size() - i;
  if (rest == 0) return;
  Child padded[lanes];
  for (std::size_t lane = 0; lane < lanes; ++lane)
    padded[lane] = wanted[i + std::min(lane, rest - 1)];
  Node made[lanes];
  spawn_four(parents.data(), padded, made);
  std::copy_n(made, rest, children + i);
}

}  // namespace cairn::uts
#endif
