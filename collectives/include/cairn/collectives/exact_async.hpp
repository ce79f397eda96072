/// Exact sums in the background: this rank's terms are added at once, the ranks' sums while the
/// program goes on.
///
///     auto norm2 = exact_dot(async(comm), x, x);
///     compute();
///     double value = norm2.wait();                  // the same bits as exact_dot(comm, x, x)
///
/// Collective. What wait() returns or writes, errors and determinism: as in exact_sum.hpp.
#pragma once

#include <cstdint>
#include <span>

#include "cairn/collectives/async.hpp"
#include "cairn/collectives/exact_sum.hpp"
#include "cairn/collectives/operation.hpp"

namespace cairn {

namespace detail {

/// A sum that is on its way, and what becomes of it.
template <typename R, R (*finish)(const ExactSum&)>
struct ExactFrame {
  using Result = R;
  static constexpr bool owns = true;
  ExactSum sum;

  std::span<std::int64_t, ExactWords::count> words() noexcept { return ExactWords::of(sum); }
  void complete() noexcept {}
  R release() { return finish(ExactWords::merged(reduced)); }

  std::array<std::int64_t, ExactWords::count> reduced = {};
};

inline double rounded(const ExactSum& sum) { return sum.round(); }
inline double rounded_root(const ExactSum& sum) { return sum.round_root(); }
inline ExactSum unrounded(const ExactSum& sum) { return sum; }

template <typename R, R (*finish)(const ExactSum&)>
Future<R> reduce_later(const Async& way, const Signature& signature, const ExactSum& local,
                       Where where) {
  return carry_out(way, signature, where, ExactFrame<R, finish>{local},
                   [](auto& perform, auto& frame) {
                     perform(native_all_reduce, static_cast<const void*>(frame.words().data()),
                             static_cast<void*>(frame.reduced.data()),
                             static_cast<int>(ExactWords::count), MPI_INT64_T, MPI_SUM);
                   });
}

}  // namespace detail

/// all_reduce(comm, local), non-blocking.
[[nodiscard]] inline Future<ExactSum> all_reduce(const detail::Async& way, const ExactSum& local,
                                                 Where where = Where::here()) {
  return detail::reduce_later<ExactSum, detail::unrounded>(
      way, {"all_reduce", detail::signature_of<ExactSum>(), 1}, local, where);
}

/// exact_sum(comm, local), non-blocking; `local` may be reused at once.
[[nodiscard]] inline Future<double> exact_sum(const detail::Async& way,
                                              std::span<const double> local,
                                              ExactOptions options = {},
                                              Where where = Where::here()) {
  ExactSum sum;
  sum.add(local, options);
  return detail::reduce_later<double, detail::rounded>(way, {"exact_sum"}, sum, where);
}

/// exact_dot(comm, a, b), non-blocking; a and b may be reused at once.
[[nodiscard]] inline Future<double> exact_dot(const detail::Async& way, std::span<const double> a,
                                              std::span<const double> b, ExactOptions options = {},
                                              Where where = Where::here()) {
  const detail::Signature signature{"exact_dot"};
  detail::require_for(way, signature, where)(a.size() == b.size(), "two factors of equal size");
  ExactSum sum;
  sum.add_products(a, b, options);
  return detail::reduce_later<double, detail::rounded>(way, signature, sum, where);
}

/// exact_norm(comm, x), non-blocking; x may be reused at once.
[[nodiscard]] inline Future<double> exact_norm(const detail::Async& way, std::span<const double> x,
                                               ExactOptions options = {},
                                               Where where = Where::here()) {
  ExactSum sum;
  sum.add_products(x, x, options);
  return detail::reduce_later<double, detail::rounded_root>(way, {"exact_norm"}, sum, where);
}

/// all_reduce(comm, sums), non-blocking, in place.
/// @param sums  shape [m], m ≥ 0 and equal on all ranks; lent until wait(), which completes them:
/// until then they hold nothing to be read, also when test() has said true
/// @par Cost  one MPI_Iallreduce of 1.1 KiB an element; one allocation
[[nodiscard]] Future<> all_reduce(const detail::Async& way, std::span<ExactSum> sums,
                                  Where where = Where::here());

/// exact_sums(comm, in, out), non-blocking.
/// @param in   shape [m], m ≥ 0 and equal on all ranks; may be reused at once
/// @param out  shape [m]; lent until wait(), which writes it; may be `in`
/// @throws Error{Errc::internal} on a rank whose in and out differ in size
/// @par Cost  one MPI_Iallreduce of 1.1 KiB an element, which the future owns. The blocking call
/// first lets the ranks agree on the digits that they need, which are few in most vectors; one that
/// waits for nobody cannot. So this one pays where there is much to do meanwhile, or for short
/// vectors.
[[nodiscard]] Future<> exact_sums(const detail::Async& way, std::span<const double> in,
                                  std::span<double> out, Where where = Where::here());

}  // namespace cairn
