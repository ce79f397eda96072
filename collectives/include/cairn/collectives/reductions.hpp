/// MPI's reductions; a part of collective.hpp, which says what is common to all.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <span>
#include <utility>

#include "cairn/collectives/layout.hpp"
#include "cairn/collectives/operation.hpp"

namespace cairn {

/// Reduces element by element over the ranks into `out` of rank `root`; `out` may be empty
/// elsewhere. `in` and `out` do not overlap.
///
/// @par Determinism  floating-point sums depend on the number of ranks; use exact_sum() where the
/// bits matter
template <Way W, typename In, typename Out, typename Op = Sum>
auto reduce(const W& way, In&& input, Out&& output, int root = 0, Op op = {},
            Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  const std::size_t n = in.view().count();
  const detail::Signature signature{"reduce", detail::signature_of<T>(), n, root,
                                    detail::signature_of<Op>()};
  const auto require = detail::require_for(way, signature, where);
  require.rank(root);
  auto out = detail::hold_output<T>(std::forward<Out>(output), comm.is_root(root) ? n : 0);
  require(!comm.is_root(root) || out.view().count() == n, "out of the size of in at the root");
  return carry_out(
      way, signature, where,
      detail::Frame{std::move(in), std::move(out), detail::Reducer<Op, T>(std::move(op))},
      [root](auto& perform, auto& frame) {
        const auto from = detail::contiguous(frame.in.view());
        const auto to = detail::contiguous(frame.out.view());
        const MPI_Op native = frame.op.native();
        detail::in_pieces(from.count(), [&](std::size_t first, int count) {
          auto* target = detail::writable(to.data);
          perform(detail::native_reduce, static_cast<const void*>(from.data + first),
                  static_cast<void*>(to.count() == 0 ? target : target + first), count,
                  frame.op.type(), native, root);
        });
      });
}

namespace detail {

/// all_reduce, scan, exscan: the same arguments, in place or from one buffer to another.
template <Way W, typename NativeCall, typename In, typename Out, typename Op>
auto reduce_everywhere(const W& way, const char* name, NativeCall native_call, In in, Out out,
                       Op op, Where where) {
  using T = ElementOf<Out>;
  const Signature signature{name, signature_of<T>(), out.view().count(), Signature::no_root,
                            signature_of<Op>()};
  if constexpr (!std::is_same_v<In, Nothing>) {
    require_for(way, signature, where)(in.view().count() == out.view().count(),
                                       "out of the size of in");
  }
  return carry_out(way, signature, where,
                   Frame{std::move(in), std::move(out), Reducer<Op, T>(std::move(op))},
                   [native_call](auto& perform, auto& frame) {
                     const auto to = contiguous(frame.out.view());
                     auto* target = writable(to.data);
                     const MPI_Op native = frame.op.native();
                     in_pieces(to.count(), [&](std::size_t first, int count) {
                       const void* source = MPI_IN_PLACE;
                       if constexpr (!std::is_same_v<In, Nothing>) {
                         source = contiguous(frame.in.view()).data + first;
                       }
                       perform(native_call, source, static_cast<void*>(target + first), count,
                               frame.op.type(), native);
                     });
                   });
}

template <Way W, typename NativeCall, typename In, typename Out, typename Op>
auto reduce_to_output(const W& way, const char* name, NativeCall native_call, In&& input,
                      Out&& output, Op op, Where where) {
  auto in = hold(std::forward<In>(input));
  using T = ElementOf<decltype(in)>;
  auto out = hold_output<T>(std::forward<Out>(output), in.view().count());
  return reduce_everywhere(way, name, native_call, std::move(in), std::move(out), std::move(op),
                           where);
}

}  // namespace detail

/// Reduces `data` element by element over all ranks, in place.
///
///     rank 0  [ a0 a1 … ]         [ a0∘b0∘c0  a1∘b1∘c1 … ]
///     rank 1  [ b0 b1 … ]   →     [ a0∘b0∘c0  a1∘b1∘c1 … ]
///     rank 2  [ c0 c1 … ]         [ a0∘b0∘c0  a1∘b1∘c1 … ]
///
/// A scalar is passed by value, and its reduction is returned.
/// @par Determinism  floating-point sums depend on the number of ranks; use exact_sum() where the
/// bits matter
template <Way W, detail::Reducible B, detail::NotABuffer Op = Sum>
[[nodiscard("cairn: a scalar is taken by value, and what comes of it is returned")]] auto
all_reduce(const W& way, B&& data, Op op = {}, Where where = Where::here()) {
  return detail::reduce_everywhere(way, "all_reduce", detail::native_all_reduce, detail::Nothing{},
                                   detail::hold(std::forward<B>(data)), std::move(op), where);
}

/// Reduces `input` (shape [n]) into `output` (shape [n]) of every rank; they do not overlap.
template <Way W, typename In, detail::ABuffer Out, typename Op = Sum>
auto all_reduce(const W& way, In&& input, Out&& output, Op op = {}, Where where = Where::here()) {
  return detail::reduce_to_output(way, "all_reduce", detail::native_all_reduce,
                                  std::forward<In>(input), std::forward<Out>(output), std::move(op),
                                  where);
}

/// Inclusive prefix reduction: rank r gets the reduction of ranks 0 … r, in place.
template <Way W, typename B, detail::NotABuffer Op = Sum>
[[nodiscard("cairn: a scalar is taken by value, and what comes of it is returned")]] auto scan(
    const W& way, B&& data, Op op = {}, Where where = Where::here()) {
  return detail::reduce_everywhere(way, "scan", detail::native_scan, detail::Nothing{},
                                   detail::hold(std::forward<B>(data)), std::move(op), where);
}
template <Way W, typename In, detail::ABuffer Out, typename Op = Sum>
auto scan(const W& way, In&& input, Out&& output, Op op = {}, Where where = Where::here()) {
  return detail::reduce_to_output(way, "scan", detail::native_scan, std::forward<In>(input),
                                  std::forward<Out>(output), std::move(op), where);
}

/// Exclusive prefix reduction: rank r gets the reduction of ranks 0 … r-1, in place; rank 0 keeps
/// what it has.
template <Way W, typename B, detail::NotABuffer Op = Sum>
[[nodiscard("cairn: a scalar is taken by value, and what comes of it is returned")]] auto exscan(
    const W& way, B&& data, Op op = {}, Where where = Where::here()) {
  return detail::reduce_everywhere(way, "exscan", detail::native_exscan, detail::Nothing{},
                                   detail::hold(std::forward<B>(data)), std::move(op), where);
}
template <Way W, typename In, detail::ABuffer Out, typename Op = Sum>
auto exscan(const W& way, In&& input, Out&& output, Op op = {}, Where where = Where::here()) {
  return detail::reduce_to_output(way, "exscan", detail::native_exscan, std::forward<In>(input),
                                  std::forward<Out>(output), std::move(op), where);
}

namespace detail {

/// Part r of a reduction whose whole is too large for one call, by a reduce to rank r.
template <typename Perform, typename T>
void reduce_part(Perform& perform, const T* part, T* to, std::size_t n, MPI_Datatype type,
                 MPI_Op op, std::size_t r, std::size_t rank) {
  in_pieces(n, [&](std::size_t first, int count) {
    perform(native_reduce, static_cast<const void*>(part + first),
            static_cast<void*>(r == rank ? to + first : to), count, type, op, static_cast<int>(r));
  });
}

}  // namespace detail

/// Reduces element by element and deals equal parts: rank r gets part r of the reduction.
/// @param input   shape [p·n]
/// @param output  shape [n], n equal everywhere
template <Way W, typename In, typename Out, typename Op = Sum>
auto reduce_scatter_block(const W& way, In&& input, Out&& output, Op op = {},
                          Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  const std::size_t p = detail::ranks_of(comm);
  const std::size_t n = in.view().count() / p;
  auto out = detail::hold_output<T>(std::forward<Out>(output), n);
  const detail::Signature signature{"reduce_scatter_block", detail::signature_of<T>(), n,
                                    detail::Signature::no_root, detail::signature_of<Op>()};
  const auto require = detail::require_for(way, signature, where);
  require(in.view().count() == p * out.view().count(), "in of size p·n, out of size n");
  return carry_out(
      way, signature, where,
      detail::Frame{std::move(in), std::move(out), detail::Reducer<Op, T>(std::move(op))},
      [p, n, rank = static_cast<std::size_t>(comm.rank())](auto& perform, auto& frame) {
        const auto from = detail::contiguous(frame.in.view());
        auto* to = detail::writable(detail::contiguous(frame.out.view()).data);
        const MPI_Op native = frame.op.native();
        if (n * p <= detail::max_count) [[likely]] {
          perform(detail::native_reduce_scatter_block, static_cast<const void*>(from.data),
                  static_cast<void*>(to), static_cast<int>(n), frame.op.type(), native);
          return;
        }
        for (std::size_t r = 0; r < p; ++r) {
          detail::reduce_part(perform, from.data + r * n, to, n, frame.op.type(), native, r, rank);
        }
      });
}

/// Reduces element by element and deals parts of different sizes: rank r gets counts[r] elements.
/// @param input   shape [Σ counts]
/// @param output  shape [counts[rank]]
/// @param counts  one entry per rank, equal everywhere
template <Way W, typename In, typename Out, typename Op = Sum>
auto reduce_scatter(const W& way, In&& input, Out&& output, std::span<const int> counts, Op op = {},
                    Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  std::size_t total = 0;
  bool are_counts = true;
  for (const int count : counts) {
    are_counts = are_counts && count >= 0;
    total += static_cast<std::size_t>(count);
  }
  const detail::Signature signature{
      .call = "reduce_scatter",
      .element = detail::signature_of<T>(),
      .count = total,
      .operation = detail::signature_of<Op>(),
      .counts = counts.data(),
  };
  const auto require = detail::require_for(way, signature, where);
  require(counts.size() == detail::ranks_of(comm), "one count per rank");
  require(are_counts, "counts of 0 or more");
  const auto mine = static_cast<std::size_t>(counts[static_cast<std::size_t>(comm.rank())]);
  auto out = detail::hold_output<T>(std::forward<Out>(output), mine);
  require(in.view().count() == total && out.view().count() == mine,
          "in of the size of all counts, out of the size of this rank's");
  return carry_out(
      way, signature, where,
      detail::Frame{std::move(in), std::move(out), detail::Reducer<Op, T>(std::move(op))},
      [counts, rank = static_cast<std::size_t>(comm.rank())](auto& perform, auto& frame) {
        const auto from = detail::contiguous(frame.in.view());
        auto* to = detail::writable(detail::contiguous(frame.out.view()).data);
        const MPI_Op native = frame.op.native();
        if (from.count() <= detail::max_count) [[likely]] {
          perform(detail::native_reduce_scatter, static_cast<const void*>(from.data),
                  static_cast<void*>(to), counts.data(), frame.op.type(), native);
          return;
        }
        std::size_t first = 0;
        for (std::size_t r = 0; r < counts.size(); ++r) {
          const auto count = static_cast<std::size_t>(counts[r]);
          detail::reduce_part(perform, from.data + first, to, count, frame.op.type(), native, r,
                              rank);
          first += count;
        }
      });
}

}  // namespace cairn
