/// Exact sums: correctly rounded, and the same bits for every order, number of ranks and number of
/// threads.
///
///     double norm2 = exact_dot(comm, x, x);      // equal on every rank, whatever the distribution
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "cairn/collectives/communicator.hpp"
#include "cairn/collectives/where.hpp"

namespace cairn {

/// How exact sums compute; nothing here changes a result.
struct ExactOptions {
  /// OpenMP threads of this rank. 0: the caller's default, omp_get_max_threads(), but only as many
  /// as get 2^15 terms each. At most one for each term; always 1 inside a parallel region, and in a
  /// build without OpenMP.
  int threads = 0;
};

namespace detail {
struct ExactWords;
}

/// A sum of doubles and of products of two doubles in fixed point, wide enough that nothing is ever
/// rounded, lost or overflowed; round() rounds once, at the end.
///
///     2^-2162                    2^-1074       2^0              2^1024            2^2094
///     digit 0   1   2  …          34 ·· a double's bits ··  98 …                digit 133
///     └──────────────── products of two doubles: 2^-2148 … 2^2048 ────────┘ carries ┘
///
/// The value is Σ digit[i] · 2^(32 i - 2162). Digits are 64-bit integers of which 32 bits are the
/// weight of one place, so that 2^30 terms can be added before a carry has to travel (carry-save).
/// The exact sum of any multiset of terms is one number: order, threads and ranks cannot change it.
///
/// | terms                                | round()                                             |
/// |--------------------------------------|-----------------------------------------------------|
/// | none                                 | +0                                                  |
/// | finite                               | the exact sum, to nearest, ties to even             |
/// | finite, exact sum ≥ 2^1024 - 2^970   | +inf (likewise -inf), only by the exact sum: 1e308  |
/// |                                      | + 1e308 - 1e308 is 1e308                            |
/// | finite, exact sum 0                  | -0 if every term is -0, else +0                     |
/// | finite, 0 < exact sum ≤ 2^-1075      | +0 (likewise -0); products alone get there          |
/// | denormals, in or out                 | exact, also under flush-to-zero modes               |
/// | NaN, or +inf and -inf                | NaN (a quiet one, without the payload)              |
/// | +inf or -inf, and no NaN             | that infinity                                       |
/// | product 0 · x, x finite              | a zero of IEEE's sign; 0 · inf is NaN               |
/// | product a · b ≠ 0                    | exact: it neither underflows nor overflows          |
///
/// The floating-point rounding mode plays no role: everything is integer arithmetic. At most 2^63
/// terms. A value type of 1.1 KiB without heap memory; all members are local and noexcept except
/// where said. Threads sum into one object each and merge().
///
/// @par Cost  on one core of an AMD EPYC with AVX2: add(span) 0.4 ns a term and add_products 0.9 ns
/// in the cache, no more than memory takes beyond it; add(double) 4 ns, add_product 9 ns, round and
/// merge 0.1 µs each, round_root 0.2 µs. Spans take vector instructions (AVX2 or AVX-512 where the
/// machine has them; CAIRN_SIMD=scalar|avx2|avx512 asks for one, and is not heard where the machine
/// lacks it) as long as in each 1024 terms all bits lie within 100 places below the largest, of
/// products within 150. Others cost 1.2 to 8 ns a term and 5 to 15 ns a product. From 4096 terms or
/// products of a call on it has 80 or 96 KiB of stack on each thread.
/// @par Source  the long accumulator: Kulisch, "Computer Arithmetic and Validity", de Gruyter 2008;
/// carry-save digits and sums binned by exponent: Neal, "Fast Exact Summation Using Small and Large
/// Superaccumulators", arXiv:1505.05571, 2015; its use for reproducible parallel sums: Collange,
/// Defour, Graillat, Iakymchuk, "Numerical reproducibility for the parallel reduction on multi- and
/// many-core architectures", Parallel Computing 49, 2015
class ExactSum {
 public:
  /// all_reduce(comm, ExactSum) is the one below, not the one of buffers.
  using ReducesItself = void;

  /// Adds one term.
  void add(double term) noexcept;

  /// Adds all `terms`, shape [n], n ≥ 0, on the calling thread.
  void add(std::span<const double> terms) noexcept;

  /// Adds all `terms`, shape [n], n ≥ 0, on several threads.
  void add(std::span<const double> terms, ExactOptions options) noexcept;

  /// Adds a · b, exactly.
  void add_product(double a, double b) noexcept;

  /// Adds a[i] · b[i] for all i, on the calling thread.
  /// @throws Error{Errc::internal} unless both have shape [n]
  void add_products(std::span<const double> a, std::span<const double> b);

  /// Adds a[i] · b[i] for all i, on several threads.
  /// @throws Error{Errc::internal} unless both have shape [n]
  void add_products(std::span<const double> a, std::span<const double> b, ExactOptions options);

  /// Adds all terms of `other`, which may be this object.
  void merge(const ExactSum& other) noexcept;

  /// The exact sum as the nearest double (table above).
  [[nodiscard]] double round() const noexcept;

  /// The square root of the exact sum as the nearest double: rounded once, of all digits. Like
  /// std::sqrt, it is NaN for a sum below 0 and for a NaN, and keeps +inf, +0 and -0. It neither
  /// overflows nor underflows where the root of the exact sum does not.
  [[nodiscard]] double round_root() const noexcept;

 private:
  friend detail::ExactWords;
  friend void exact_sums(const Communicator& comm, std::span<const double> in,
                         std::span<double> out, Where where);
  class Bins;
  class Blocks;
  enum class Rounding { value, root };
  class Window;

  static constexpr std::size_t digits = 134;
  /// Behind the digits, so that a merge is one loop.
  enum Word : std::size_t {
    // How often something was seen, or 0.
    not_a_number = digits,
    plus_infinity,
    minus_infinity,
    others,
    minus_zeros,
    // |word| ≤ weight · (2^32 - 1) for every word before, and 0 ≤ weight ≤ 2^30 between calls.
    weight,
    words
  };

  void add_at(std::size_t digit, unsigned shift, std::uint64_t significand,
              std::int64_t sign) noexcept;
  void add_signed(std::int64_t value, unsigned place) noexcept;
  void add_infinity_or_nan(std::uint64_t bits) noexcept;
  void count_flag(Word flag) noexcept;
  void count_additions(std::int64_t additions) noexcept;
  void propagate_carries() noexcept;
  static void travel(std::span<std::int64_t> range) noexcept;
  /// The result where it is an infinity, a NaN or -0.
  [[nodiscard]] std::optional<double> special_value() const noexcept;
  [[nodiscard]] double round(Rounding rounding) const noexcept;
  static double round_digits(std::span<std::int64_t> range, std::size_t first,
                             Rounding rounding) noexcept;

  std::array<std::int64_t, words> words_{};
};

/// The merge of all ranks' `local`, on every rank.
///
/// Collective, blocking. The same on every rank to the last bit, since integers are added.
/// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
/// @par Cost  one MPI_Allreduce of 1.1 KiB; no allocation
[[nodiscard]] ExactSum all_reduce(const Communicator& comm, const ExactSum& local,
                                  Where where = Where::here());

/// Merges all ranks' sums element by element, in place.
///
/// Collective, blocking.
/// @param sums  shape [m], m ≥ 0 and equal on all ranks; in: this rank's sums, out: those of all
/// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one; `sums` is then unspecified
/// @par Cost  one MPI_Allreduce of 1.1 KiB an element for every 1 MiB of them; no allocation
void all_reduce(const Communicator& comm, std::span<ExactSum> sums, Where where = Where::here());

/// The sum of all ranks' `local` (shape [n], n ≥ 0 and different on each rank), correctly rounded,
/// equal on every rank; the semantics of ExactSum.
///
/// Collective, blocking.
/// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
/// @par Determinism  a function of the multiset of terms alone
/// @par Cost  ExactSum::add(span) and one MPI_Allreduce of 1.1 KiB; no allocation
[[nodiscard]] double exact_sum(const Communicator& comm, std::span<const double> local,
                               ExactOptions options = {}, Where where = Where::here());

/// The dot product Σ a[i] · b[i] over all ranks' parts, correctly rounded, equal on every rank.
///
/// Collective, blocking.
/// @param a, b  shape [n] each, n ≥ 0 and different on each rank
/// @throws Error{Errc::internal} on a rank whose a and b differ in size; with
/// CAIRN_CHECK=collectives on all
/// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
/// @par Determinism  a function of the multiset of pairs alone
/// @par Cost  ExactSum::add_products and one MPI_Allreduce of 1.1 KiB; no allocation
[[nodiscard]] double exact_dot(const Communicator& comm, std::span<const double> a,
                               std::span<const double> b, ExactOptions options = {},
                               Where where = Where::here());

/// The Euclidean norm √Σ x[i]² over all ranks' parts, correctly rounded: the root of the exact sum,
/// rounded once. Equal on every rank. Entries such as 1e300 or 1e-300 neither overflow nor
/// underflow.
///
/// Collective, blocking.
/// @param x  shape [n], n ≥ 0 and different on each rank; the norm of no entries is 0
/// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
/// @par Determinism  a function of the multiset of entries alone
/// @par Cost  exact_dot(comm, x, x), from half the memory
[[nodiscard]] double exact_norm(const Communicator& comm, std::span<const double> x,
                                ExactOptions options = {}, Where where = Where::here());

/// The sums over ranks, element by element: out[i] is the sum of all ranks' in[i], correctly
/// rounded and equal on every rank; the semantics of ExactSum.
///
///     rank 0  [ a0 a1 … ]         [ a0+b0+c0  a1+b1+c1 … ]
///     rank 1  [ b0 b1 … ]   →     [ a0+b0+c0  a1+b1+c1 … ]
///     rank 2  [ c0 c1 … ]         [ a0+b0+c0  a1+b1+c1 … ]
///
/// Collective, blocking. For several terms a rank and element: all_reduce(comm, span of ExactSum).
/// @param in   shape [m], m ≥ 0 and equal on all ranks
/// @param out  shape [m]; may be `in`, must not overlap it otherwise
/// @throws Error{Errc::internal} on a rank whose in and out differ in size; with
/// CAIRN_CHECK=collectives on all
/// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one; `out` is then unspecified
/// @par Determinism  out[i] is a function of the multiset of terms of element i alone
/// @par Cost  one small MPI_Allreduce, by which the ranks agree on the digits that their terms
/// touch, and one of these digits for every 128 KiB of them: 40 bytes an element where the terms'
/// exponents span 2^32, 1.1 KiB where they span everything; no allocation, 128 KiB of stack
void exact_sums(const Communicator& comm, std::span<const double> in, std::span<double> out,
                Where where = Where::here());

namespace detail {

/// What of an ExactSum travels between ranks, for reductions with MPI calls of their own (a
/// non-blocking one, say): MPI_SUM over MPI_INT64_T of all ranks' words is the words of the merge.
struct ExactWords {
  static constexpr std::size_t count = ExactSum::words;

  /// The words, ready to be added up over at most 2^31 ranks; the sum's value does not change.
  static std::span<std::int64_t, count> of(ExactSum& sum) noexcept;
  static std::span<std::int64_t> of(std::span<ExactSum> sums) noexcept;

  /// The sum that added-up words are.
  static ExactSum merged(std::span<const std::int64_t, count> words) noexcept;
};

}  // namespace detail

}  // namespace cairn
