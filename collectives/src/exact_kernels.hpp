/// The inner loops of exact sums: blocks of doubles, or of products, split into a few slices of
/// fixed weight, in vector registers.
///
/// Slice j of a block has an anchor 1.5 · 2^k. For |x| < 2^(k-1), anchor + x stays in the binade
/// [2^k, 2^(k+1)), where a double's last place weighs 2^(k-52), so that
///
///     with_x = anchor + x;   taken = with_x - anchor;   rest = x - taken;
///
/// is an error-free transformation: taken is x rounded to the slice's last place, and rest, at most
/// half of that, goes to the next slice.
///
///     x        ················1011001110001101011000········
///     slice 0  [     50 bits     ]
///     slice 1                 rest → [     50 bits     ]       and what is left must be 0
///
/// Within a binade the bit pattern of a double counts its last places. So a slice adds up the
/// patterns of with_x in 64-bit integers, exactly in any order, and knows Σ taken as an integer. A
/// product is two terms, the rounded product and its error term.
///
/// A kernel does not decide: it says how large the terms were and whether nothing was left, and if
/// it was not made for them, the block goes another way (exact_blocks.cpp).
///
/// Source: slices by a large constant: Rump, Ogita, Oishi, "Accurate Floating-Point Summation Part
/// I: Faithful Rounding", SIAM J. Sci. Comput. 31 (1), 2008; sums kept in slices: Demmel, Nguyen,
/// "Parallel Reproducible Summation", IEEE Trans. Comput. 64 (7), 2015; error terms of products:
/// Dekker, "A Floating-Point Technique for Extending the Available Precision", Numer. Math. 18,
/// 1971. Collange, Defour, Graillat and Iakymchuk (2015, see exact_sum.hpp) put floating-point
/// expansions before the long accumulator, with twice the operations a term; adding up patterns is
/// ours.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace cairn::exact {

/// The most terms of one call of a kernel; two arrays of them stay in the first-level cache.
inline constexpr std::size_t block_terms = 1024;

/// Slices of a block. Two hold all bits of terms down to 2^-48 of the largest, three hold all bits
/// of products down to 2^-45 of the largest: a product has 106.
inline constexpr std::size_t sum_slices = 2;
inline constexpr std::size_t product_slices = 3;

/// 2^k is the lower end of slice j's binade, for |terms| < 2^bound. Why nothing leaves it:
///
/// * Slice 0 takes a term of less than 2^bound = 2^(k-1).
/// * A later slice takes two at most: rests of slice j-1, which are ≤ 2^(k_(j-1) - 53), or a rest
///   of slice 0 and a product's error term, which is ≤ 2^(bound - 54), less than such a rest may
///   be. Together they are ≤ 2^(k_(j-1) - 52) < 2^(k_j - 1) for k_j = k_(j-1) - 50.
/// * The sum of block_terms numbers of less than 2^51 last places fits 64 bits.
constexpr int slice_exponent(int bound, std::size_t j) {
  return bound + 1 - 50 * static_cast<int>(j);
}

template <std::size_t slices>
using Anchors = std::array<double, slices>;

/// The anchors 1.5 · 2^k for terms of less than 2^bound. All k in [-1022, 1022].
template <std::size_t slices>
constexpr Anchors<slices> anchors_for(int bound) {
  Anchors<slices> anchors{};
  for (std::size_t j = 0; j < slices; ++j) {
    const auto exponent_field = static_cast<std::uint64_t>(slice_exponent(bound, j) + 1023);
    anchors[j] = std::bit_cast<double>(exponent_field << 52 | std::uint64_t{1} << 51);
  }
  return anchors;
}

/// What a kernel found.
template <std::size_t slices>
struct Block {
  std::array<std::int64_t, slices> sums;  ///< of slice j, in units of 2^(slice_exponent - 52)
  double largest;                         ///< |term|; means nothing if one is a NaN
  bool exact;  ///< nothing was left over, provided that largest < 2^bound
};

/// The inner loops for one instruction set. All pointers are of n ≤ block_terms doubles, of any
/// alignment.
struct Kernels {
  const char* name;

  /// Slices x. Not exact if a term is infinite or a NaN.
  Block<sum_slices> (*sum)(const double* x, std::size_t n, const Anchors<sum_slices>& anchors);

  /// Slices the products a[i] · b[i]. Not exact if a product or its error term is infinite or a
  /// NaN, nor if one of them underflows, provided that the last slice's last place is 2^-967 or
  /// more.
  Block<product_slices> (*dot)(const double* a, const double* b, std::size_t n,
                               const Anchors<product_slices>& anchors);

  /// product[i] + error[i] = a[i] · b[i], exactly if |product[i]| ≥ 2^-968 and the error
  /// term is finite.
  void (*two_products)(const double* a, const double* b, std::size_t n, double* product,
                       double* error);
};

/// The kernels that this machine can run, from the plainest to the fastest; "scalar" is always
/// there, except on machines or under compiler options that do not round every operation to
/// double, which have none.
[[nodiscard]] std::span<const Kernels* const> available_kernels() noexcept;

/// The fastest, or the one that CAIRN_SIMD names when it is available; null if there is none.
[[nodiscard]] const Kernels* chosen_kernels() noexcept;

/// For tests: chooses other kernels for all threads from now on; null for none.
void choose_kernels(const Kernels* kernels) noexcept;

}  // namespace cairn::exact
