#include "exact_kernels.hpp"

#include <atomic>
#include <cfloat>
#include <cstdlib>
#include <cstring>
#include <string_view>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Whether an expression of doubles is what IEEE 754 says, so that an error-free transformation is.
#if FLT_EVAL_METHOD == 0 && !defined(__FAST_MATH__) && !defined(__ASSOCIATIVE_MATH__)
#define CAIRN_STRICT_DOUBLES
#endif

namespace cairn::exact {

namespace {

#if defined(CAIRN_STRICT_DOUBLES)

constexpr std::uint64_t sign = std::uint64_t{1} << 63;

// A target attribute belongs to a function and cannot be a template's argument, so the loops are a
// file that is included once for each. Its helpers must be inlined: none may be compiled, or be
// passed a vector, for another target.
#define CAIRN_INLINE __attribute__((always_inline)) inline

namespace scalar {
#define CAIRN_TARGET

constexpr std::size_t lanes = 2;
using Vector = double __attribute__((vector_size(8 * lanes)));
using Bits = std::uint64_t __attribute__((vector_size(8 * lanes)));

CAIRN_INLINE Vector larger(Vector a, Vector b) {
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    if (b[lane] > a[lane]) a[lane] = b[lane];
  }
  return a;
}
CAIRN_INLINE Vector smaller(Vector a, Vector b) {
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    if (b[lane] < a[lane]) a[lane] = b[lane];
  }
  return a;
}

#if defined(__FP_FAST_FMA)
CAIRN_INLINE Vector product_error(Vector a, Vector b, Vector product) {
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    a[lane] = __builtin_fma(a[lane], b[lane], -product[lane]);
  }
  return a;
}
#else
/// The upper 26 bits of x; the lower ones fit 26 bits too, with a sign. NaN where 2^27 x overflows.
CAIRN_INLINE Vector upper_half(Vector x) {
  const Vector scaled = x * 134217729.0;  // 2^27 + 1
  return scaled - (scaled - x);
}

/// Dekker's: the partial products are exact.
CAIRN_INLINE Vector product_error(Vector a, Vector b, Vector product) {
  const Vector a_high = upper_half(a);
  const Vector b_high = upper_half(b);
  const Vector a_low = a - a_high;
  const Vector b_low = b - b_high;
  return a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low);
}
#endif

#include "exact_kernels.inc"
constexpr Kernels kernels{"scalar", sum, dot, two_products};
#undef CAIRN_TARGET
}  // namespace scalar

#if defined(__x86_64__)

namespace avx2 {
#define CAIRN_TARGET __attribute__((target("avx2,fma")))

constexpr std::size_t lanes = 4;
using Vector = __m256d;
using Bits = std::uint64_t __attribute__((vector_size(8 * lanes)));

CAIRN_TARGET CAIRN_INLINE Vector larger(Vector a, Vector b) { return _mm256_max_pd(a, b); }
CAIRN_TARGET CAIRN_INLINE Vector smaller(Vector a, Vector b) { return _mm256_min_pd(a, b); }
CAIRN_TARGET CAIRN_INLINE Vector product_error(Vector a, Vector b, Vector product) {
  return _mm256_fmsub_pd(a, b, product);
}

#include "exact_kernels.inc"
constexpr Kernels kernels{"avx2", sum, dot, two_products};
#undef CAIRN_TARGET
}  // namespace avx2

namespace avx512 {
#define CAIRN_TARGET __attribute__((target("avx512f")))

constexpr std::size_t lanes = 8;
using Vector = __m512d;
using Bits = std::uint64_t __attribute__((vector_size(8 * lanes)));

// Not _mm512_max_pd, at which g++ 12 warns of an uninitialised variable.
CAIRN_TARGET CAIRN_INLINE Vector larger(Vector a, Vector b) {
  return _mm512_maskz_max_pd(0xff, a, b);
}
CAIRN_TARGET CAIRN_INLINE Vector smaller(Vector a, Vector b) {
  return _mm512_maskz_min_pd(0xff, a, b);
}
CAIRN_TARGET CAIRN_INLINE Vector product_error(Vector a, Vector b, Vector product) {
  return _mm512_fmsub_pd(a, b, product);
}

#include "exact_kernels.inc"
constexpr Kernels kernels{"avx512", sum, dot, two_products};
#undef CAIRN_TARGET
}  // namespace avx512

#endif  // __x86_64__

#endif  // CAIRN_STRICT_DOUBLES

/// The kernels of this machine, found once.
struct Available {
  Available() noexcept {
#if defined(CAIRN_STRICT_DOUBLES)
    add(scalar::kernels);
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) add(avx2::kernels);
    if (__builtin_cpu_supports("avx512f")) add(avx512::kernels);
#endif
#endif
  }
  void add(const Kernels& kernels) noexcept { list[count++] = &kernels; }

  std::array<const Kernels*, 3> list{};
  std::size_t count = 0;
};

const Kernels* first_choice() noexcept {
  const auto available = available_kernels();
  const char* wish = std::getenv("CAIRN_SIMD");
  for (const Kernels* kernels : available) {
    if (wish != nullptr && std::string_view(wish) == kernels->name) return kernels;
  }
  return available.empty() ? nullptr : available.back();
}

std::atomic<const Kernels*>& choice() noexcept {
  static std::atomic<const Kernels*> kernels{first_choice()};
  return kernels;
}

}  // namespace

std::span<const Kernels* const> available_kernels() noexcept {
  static const Available available;
  return {available.list.data(), available.count};
}

const Kernels* chosen_kernels() noexcept { return choice().load(std::memory_order_relaxed); }

void choose_kernels(const Kernels* kernels) noexcept {
  choice().store(kernels, std::memory_order_relaxed);
}

}  // namespace cairn::exact
