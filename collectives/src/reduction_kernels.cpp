#include "reduction_kernels.hpp"

#include <complex>
#include <concepts>
#include <cstdint>
#include <type_traits>

namespace cairn::detail {

namespace {

template <typename T>
concept Complex = std::same_as<T, std::complex<float>> || std::same_as<T, std::complex<double>>;
template <typename T>
concept Whole = std::integral<T> && !std::same_as<T, bool>;
template <typename T>
concept Ordered = Whole<T> || std::floating_point<T>;

/// Computes where overflow wraps around; small types would otherwise become int.
template <Whole T, typename Function>
T wrapping(T a, T b, Function&& function) {
  using Wide = std::common_type_t<std::make_unsigned_t<T>, unsigned>;
  return static_cast<T>(function(static_cast<Wide>(a), static_cast<Wide>(b)));
}

struct Sum {
  template <typename T>
  requires(Ordered<T> || Complex<T>) static T apply(T a, T b) {
    if constexpr (Whole<T>) {
      return wrapping(a, b, [](auto x, auto y) { return x + y; });
    } else {
      return a + b;
    }
  }
};

struct Product {
  template <typename T>
  requires(Ordered<T> || Complex<T>) static T apply(T a, T b) {
    if constexpr (Whole<T>) {
      return wrapping(a, b, [](auto x, auto y) { return x * y; });
    } else if constexpr (Complex<T>) {
      return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
    } else {
      return a * b;
    }
  }
};

struct Minimum {
  template <Ordered T>
  static T apply(T a, T b) {
    return b < a ? b : a;
  }
};

struct Maximum {
  template <Ordered T>
  static T apply(T a, T b) {
    return a < b ? b : a;
  }
};

struct LogicalAnd {
  template <std::integral T>
  static T apply(T a, T b) {
    return static_cast<T>((a != T{}) & (b != T{}));
  }
};

struct LogicalOr {
  template <std::integral T>
  static T apply(T a, T b) {
    return static_cast<T>((a != T{}) | (b != T{}));
  }
};

struct LogicalXor {
  template <std::integral T>
  static T apply(T a, T b) {
    return static_cast<T>((a != T{}) ^ (b != T{}));
  }
};

struct BitAnd {
  template <typename T>
  requires(Whole<T> || std::same_as<T, std::byte>) static T apply(T a, T b) {
    return static_cast<T>(a & b);
  }
};

struct BitOr {
  template <typename T>
  requires(Whole<T> || std::same_as<T, std::byte>) static T apply(T a, T b) {
    return static_cast<T>(a | b);
  }
};

struct BitXor {
  template <typename T>
  requires(Whole<T> || std::same_as<T, std::byte>) static T apply(T a, T b) {
    return static_cast<T>(a ^ b);
  }
};

/// The loop itself. Equal pointers are no dependence between iterations, which `omp simd` says.
template <typename Operation, typename T>
[[gnu::always_inline]] inline void combine(std::byte* result, const std::byte* a,
                                           const std::byte* b, std::size_t n) {
  auto* const out = reinterpret_cast<T*>(result);
  const auto* const left = reinterpret_cast<const T*>(a);
  const auto* const right = reinterpret_cast<const T*>(b);
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) out[i] = Operation::apply(left[i], right[i]);
}

template <typename Operation, typename T>
[[gnu::always_inline]] inline void exchange(std::byte* result, const std::byte* a,
                                            const std::byte* b, std::byte* theirs,
                                            const std::byte* next, std::size_t n) {
  auto* const out = reinterpret_cast<T*>(result);
  auto* const box = reinterpret_cast<T*>(theirs);
  const auto* const left = reinterpret_cast<const T*>(a);
  const auto* const right = reinterpret_cast<const T*>(b);
  const auto* const following = reinterpret_cast<const T*>(next);
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) {
    const T value = Operation::apply(left[i], right[i]);
    box[i] = following[i];
    out[i] = value;
  }
}

template <typename Operation, typename T>
void exchange_baseline(std::byte* result, const std::byte* a, const std::byte* b, std::byte* theirs,
                       const std::byte* next, std::size_t n) {
  exchange<Operation, T>(result, a, b, theirs, next, n);
}

template <typename Operation, typename T>
void combine_baseline(std::byte* result, const std::byte* a, const std::byte* b, std::size_t n) {
  combine<Operation, T>(result, a, b, n);
}

#if defined(__x86_64__)
// Not target_clones: its resolvers run before the sanitizers are ready, and clang 14 has none for
// templates.
template <typename Operation, typename T>
[[gnu::target("avx2")]] void combine_avx2(std::byte* result, const std::byte* a, const std::byte* b,
                                          std::size_t n) {
  combine<Operation, T>(result, a, b, n);
}

template <typename Operation, typename T>
[[gnu::target("avx2")]] void exchange_avx2(std::byte* result, const std::byte* a,
                                           const std::byte* b, std::byte* theirs,
                                           const std::byte* next, std::size_t n) {
  exchange<Operation, T>(result, a, b, theirs, next, n);
}

bool has_avx2() noexcept {
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
}
#endif

template <typename Operation, typename T>
Reduction kernels() noexcept {
#if defined(__x86_64__)
  if (has_avx2()) return {combine_avx2<Operation, T>, exchange_avx2<Operation, T>, sizeof(T)};
#endif
  return {combine_baseline<Operation, T>, exchange_baseline<Operation, T>, sizeof(T)};
}

template <typename T, typename Operation>
Reduction reduction() noexcept {
  if constexpr (requires(T a) { Operation::template apply<T>(a, a); }) {
    return kernels<Operation, T>();
  } else {
    return {};
  }
}

template <typename T>
Reduction reduction_on(MPI_Op operation) noexcept {
  if (operation == MPI_SUM) return reduction<T, Sum>();
  if (operation == MPI_MAX) return reduction<T, Maximum>();
  if (operation == MPI_MIN) return reduction<T, Minimum>();
  if (operation == MPI_PROD) return reduction<T, Product>();
  if (operation == MPI_LAND) return reduction<T, LogicalAnd>();
  if (operation == MPI_LOR) return reduction<T, LogicalOr>();
  if (operation == MPI_LXOR) return reduction<T, LogicalXor>();
  if (operation == MPI_BAND) return reduction<T, BitAnd>();
  if (operation == MPI_BOR) return reduction<T, BitOr>();
  if (operation == MPI_BXOR) return reduction<T, BitXor>();
  return {};
}

template <std::integral T>
using Fixed = std::conditional_t<
    std::is_signed_v<T>,
    std::conditional_t<
        sizeof(T) == 8, std::int64_t,
        std::conditional_t<sizeof(T) == 4, std::int32_t,
                           std::conditional_t<sizeof(T) == 2, std::int16_t, std::int8_t>>>,
    std::conditional_t<
        sizeof(T) == 8, std::uint64_t,
        std::conditional_t<sizeof(T) == 4, std::uint32_t,
                           std::conditional_t<sizeof(T) == 2, std::uint16_t, std::uint8_t>>>>;

}  // namespace

Reduction reduction_of(MPI_Datatype type, MPI_Op operation) noexcept {
  const auto is = [type](auto... types) { return ((type == types) || ...); };
  if (is(MPI_DOUBLE)) return reduction_on<double>(operation);
  if (is(MPI_FLOAT)) return reduction_on<float>(operation);
  if (is(MPI_INT32_T, MPI_INT)) return reduction_on<std::int32_t>(operation);
  if (is(MPI_INT64_T, MPI_LONG_LONG)) return reduction_on<std::int64_t>(operation);
  if (is(MPI_UINT64_T, MPI_UNSIGNED_LONG_LONG)) return reduction_on<std::uint64_t>(operation);
  if (is(MPI_UINT32_T, MPI_UNSIGNED)) return reduction_on<std::uint32_t>(operation);
  if (is(MPI_LONG)) return reduction_on<Fixed<long>>(operation);
  if (is(MPI_UNSIGNED_LONG)) return reduction_on<Fixed<unsigned long>>(operation);
  if (is(MPI_INT16_T, MPI_SHORT)) return reduction_on<std::int16_t>(operation);
  if (is(MPI_UINT16_T, MPI_UNSIGNED_SHORT)) return reduction_on<std::uint16_t>(operation);
  if (is(MPI_INT8_T, MPI_SIGNED_CHAR)) return reduction_on<std::int8_t>(operation);
  if (is(MPI_UINT8_T, MPI_UNSIGNED_CHAR)) return reduction_on<std::uint8_t>(operation);
  if (is(MPI_CXX_BOOL)) return reduction_on<bool>(operation);
  if (is(MPI_BYTE)) return reduction_on<std::byte>(operation);
  if (is(MPI_LONG_DOUBLE)) return reduction_on<long double>(operation);
  if (is(MPI_CXX_DOUBLE_COMPLEX)) return reduction_on<std::complex<double>>(operation);
  if (is(MPI_CXX_FLOAT_COMPLEX)) return reduction_on<std::complex<float>>(operation);
  return {};
}

const char* instruction_set() noexcept {
#if defined(__x86_64__)
  if (has_avx2()) return "AVX2";
#endif
  return "baseline";
}

}  // namespace cairn::detail
