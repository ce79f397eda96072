// SHA-1 of sixteen children side by side, one in each 32-bit element of AVX-512 registers.
#include "sha1_kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>

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

struct Rounds {
  __m512i w[16];
  __m512i a, b, c, d, e;
};

template <int first, int last, int mix>
CAIRN_AVX512 void rounds(Rounds& r) {
  const __m512i constant = all_lanes(sha1_constants[first / 20]);
#pragma GCC unroll 20
  for (int t = first; t < last; ++t) {
    if (t >= 16) {
      const __m512i mixed = _mm512_ternarylogic_epi32(r.w[(t + 13) % 16], r.w[(t + 8) % 16],
                                                      r.w[(t + 2) % 16], parity);
      r.w[t % 16] = _mm512_rol_epi32(_mm512_xor_si512(mixed, r.w[t % 16]), 1);
    }
    const __m512i sum = _mm512_add_epi32(_mm512_add_epi32(r.e, constant), r.w[t % 16]);
    const __m512i mixed = _mm512_ternarylogic_epi32(r.b, r.c, r.d, mix);
    const __m512i next = _mm512_add_epi32(_mm512_add_epi32(sum, mixed), _mm512_rol_epi32(r.a, 5));
    r.e = r.d;
    r.d = r.c;
    r.c = _mm512_rol_epi32(r.b, 30);
    r.b = r.a;
    r.a = next;
  }
}

__attribute__((target("avx512f"))) void spawn_sixteen(const Node* parents, const Child* wanted,
                                                      Node* children) {
  // A node is six words, so word k of the parent in element i stands at 6 * parent[i] + k.
  const auto* pairs = reinterpret_cast<const __m512i*>(wanted);  // NOLINT
  const __m512i first = _mm512_loadu_si512(pairs), second = _mm512_loadu_si512(pairs + 1);
  const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  const __m512i odd = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
  const __m512i places =
      _mm512_mullo_epi32(_mm512_permutex2var_epi32(first, even, second), _mm512_set1_epi32(6));
  const auto* words = parents->state.data();
  Rounds r;
  for (int k = 0; k < 5; ++k) r.w[k] = _mm512_i32gather_epi32(places, words + k, 4);
  const __m512i depth =
      _mm512_add_epi32(_mm512_i32gather_epi32(places, words + 5, 4), _mm512_set1_epi32(1));
  r.w[5] = _mm512_permutex2var_epi32(first, odd, second);
  r.w[6] = all_lanes(sha1_end_mark);
  for (int k = 7; k < 15; ++k) r.w[k] = _mm512_setzero_si512();
  r.w[15] = all_lanes(message_bits);
  r.a = all_lanes(sha1_start[0]);
  r.b = all_lanes(sha1_start[1]);
  r.c = all_lanes(sha1_start[2]);
  r.d = all_lanes(sha1_start[3]);
  r.e = all_lanes(sha1_start[4]);
  rounds<0, 20, choose>(r);
  rounds<20, 40, parity>(r);
  rounds<40, 60, majority>(r);
  rounds<60, 80, parity>(r);
  const __m512i sixes = _mm512_mullo_epi32(
      _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi32(6));
  auto* out = children->state.data();
  _mm512_i32scatter_epi32(out, sixes, _mm512_add_epi32(r.a, all_lanes(sha1_start[0])), 4);
  _mm512_i32scatter_epi32(out + 1, sixes, _mm512_add_epi32(r.b, all_lanes(sha1_start[1])), 4);
  _mm512_i32scatter_epi32(out + 2, sixes, _mm512_add_epi32(r.c, all_lanes(sha1_start[2])), 4);
  _mm512_i32scatter_epi32(out + 3, sixes, _mm512_add_epi32(r.d, all_lanes(sha1_start[3])), 4);
  _mm512_i32scatter_epi32(out + 4, sixes, _mm512_add_epi32(r.e, all_lanes(sha1_start[4])), 4);
  _mm512_i32scatter_epi32(out + 5, sixes, depth, 4);
}

}  // namespace

bool has_avx512() { return __builtin_cpu_supports("avx512f") != 0; }

void spawn_avx512(std::span<const Node> parents, std::span<const Child> wanted, Node* children) {
  std::size_t i = 0;
  for (; i + lanes <= wanted.size(); i += lanes)
    spawn_sixteen(parents.data(), wanted.data() + i, children + i);
  const std::size_t rest = wanted.size() - i;
  if (rest == 0) return;
  Child padded[lanes];
  for (std::size_t lane = 0; lane < lanes; ++lane)
    padded[lane] = wanted[i + std::min(lane, rest - 1)];
  Node made[lanes];
  spawn_sixteen(parents.data(), padded, made);
  std::copy_n(made, rest, children + i);
}

}  // namespace cairn::uts
#endif
