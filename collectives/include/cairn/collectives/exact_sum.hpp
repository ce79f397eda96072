/// Exact sums: correctly rounded, and the same bits for every order, number of ranks and number of
/// threads.
///
///     double norm2 = exact_dot(comm, x, x);      // equal on every rank, whatever the distribution
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "cairn/collectives/communicator.hpp"

namespace cairn {

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
/// @par Cost  on one core of an AMD EPYC: add(span) 0.8 to 2 ns a term from 512 terms on (with 80
/// KiB of stack), add(double) 4 ns, add_product 7 ns, merge and round 0.1 µs each
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

  /// Adds all `terms`, shape [n], n ≥ 0.
  void add(std::span<const double> terms) noexcept;

  /// Adds a · b, exactly.
  void add_product(double a, double b) noexcept;

  /// Adds a[i] · b[i] for all i.
  /// @throws Error{Errc::internal} unless both have shape [n]
  void add_products(std::span<const double> a, std::span<const double> b);

  /// Adds all terms of `other`, which may be this object.
  void merge(const ExactSum& other) noexcept;

  /// The exact sum as the nearest double (table above).
  [[nodiscard]] double round() const noexcept;

 private:
  friend ExactSum all_reduce(const Communicator& comm, const ExactSum& local);
  class Bins;

  static constexpr std::size_t digits = 134;
  /// Behind the digits, so that a merge is one loop: how often something was seen, or 0.
  enum Flag : std::size_t {
    not_a_number = digits,
    plus_infinity,
    minus_infinity,
    others,
    minus_zeros,
    words
  };

  void add_at(std::size_t digit, unsigned shift, std::uint64_t significand,
              std::int64_t sign) noexcept;
  void add_infinity_or_nan(std::uint64_t bits) noexcept;
  void count_addition(std::int64_t additions) noexcept;
  void propagate_carries() noexcept;
  [[nodiscard]] double round_positive() const noexcept;

  /// |word| ≤ weight_ · (2^32 - 1) for every word, and 0 ≤ weight_ ≤ 2^30 between calls.
  std::array<std::int64_t, words> words_{};
  std::int64_t weight_ = 0;
};

/// The merge of all ranks' `local`, on every rank.
///
/// Collective, blocking. The same on every rank to the last bit, since integers are added.
/// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
/// @par Cost  one MPI_Allreduce of 1.1 KiB; no allocation
[[nodiscard]] ExactSum all_reduce(const Communicator& comm, const ExactSum& local);

/// The sum of all ranks' `local` (shape [n], n ≥ 0 and different on each rank), correctly rounded,
/// equal on every rank; the semantics of ExactSum.
///
/// Collective, blocking.
/// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
/// @par Determinism  a function of the multiset of terms alone
/// @par Cost  ExactSum::add(span) and one MPI_Allreduce of 1.1 KiB; no allocation
[[nodiscard]] double exact_sum(const Communicator& comm, std::span<const double> local);

/// The dot product Σ a[i] · b[i] over all ranks' parts, correctly rounded, equal on every rank.
///
/// Collective, blocking.
/// @param a, b  shape [n] each, n ≥ 0 and different on each rank
/// @throws Error{Errc::internal} on a rank whose a and b differ in size
/// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
/// @par Determinism  a function of the multiset of pairs alone
/// @par Cost  ExactSum::add_products and one MPI_Allreduce of 1.1 KiB; no allocation
[[nodiscard]] double exact_dot(const Communicator& comm, std::span<const double> a,
                               std::span<const double> b);

}  // namespace cairn
