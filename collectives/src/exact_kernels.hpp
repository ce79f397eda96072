/// The inner loops of exact sums: blocks of doubles, or of products, split into a few slices of
/// fixed weight, in vector registers.
///
/// Slice j of a block is a floating-point accumulator that starts at its anchor 1.5 · 2^k and never
/// leaves [2^k, 2^(k+1)), so that its last bit weighs 2^(k-52) throughout. Then
///
///     after = before + x;   rest = x - (after - before);
///
/// is an error-free transformation whatever the signs: after - before is what of x the slice took,
/// and rest, at most half its last bit, goes to the next slice.
///
///     x    ················1011001110001101011000········
///     slice 0   [ sum │ 41 bits ]
///     slice 1          rest → [ sum │ 41 bits ]
///     slice 2                      rest → [ sum │ 41 bits ]   and what is left must be 0
///
/// What the slices took is read off their bit patterns as integers: within a binade a double's
/// pattern counts its last places. A product is two terms, the rounded product and its error.
///
/// A kernel does not decide: it says whether every term was in range and nothing was left, and if
/// not, the block goes another way (exact_blocks.hpp).
///
/// Source: slicing by a large constant: Rump, Ogita, Oishi, "Accurate Floating-Point Summation Part
/// I: Faithful Rounding", SIAM J. Sci. Comput. 31 (1), 2008; accumulating in such slices: Demmel,
/// Nguyen, "Parallel Reproducible Summation", IEEE Trans. Comput. 64 (7), 2015; products: Dekker, "A
/// Floating-Point Technique for Extending the Available Precision", Numer. Math. 18, 1971.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace cairn::exact {

/// The most terms of one call of a kernel; two arrays of them stay in the first-level cache.
inline constexpr std::size_t block_terms = 1024;

/// Slices of a block. Three hold terms down to 2^-70 of the largest whole, four hold products down
/// to 2^-58 of the largest: a product has 106 bits.
inline constexpr std::size_t sum_slices = 3;
inline constexpr std::size_t product_slices = 4;

/// The least number of accumulators a kernel spreads a block over.
inline constexpr std::size_t least_lanes = 2;

// Why no accumulator leaves its binade. Let all |terms| be < 2^bound, and N = 2^9 terms go to one.
//
// * Slice 0 takes N terms of less than 2^bound, each rounded to its last place: it moves by less
//   than 2^(bound + 9) (1 + ε) < 2^(k - 1) for k = bound + 11.
// * The rest of an addition to slice j is ≤ 2^(k_j - 53). A product's error term is ≤ 2^(bound -
//   54), which is less than slice 0's rests. So every later slice takes 2 N terms of ≤
//   2^(k_j - 53), moves by less than 2^(k_j - 43) (1 + ε) < 2^(k_(j+1) - 1) for k_(j+1) = k_j - 41.
inline constexpr int first_slice_above_bound = 11;
inline constexpr int slice_step = 41;
static_assert(block_terms / least_lanes <= std::size_t{1} << 9);

/// 2^k is the lower end of slice j's binade.
constexpr int slice_exponent(int bound, std::size_t j) {
  return bound + first_slice_above_bound - slice_step * static_cast<int>(j);
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
  bool exact;                             ///< nothing was left over, provided that largest < 2^bound
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
