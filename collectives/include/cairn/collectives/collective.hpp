/// MPI's collectives on buffers: each call is one MPI call, checked, without an allocation.
///
///     all_reduce(comm, std::span(x));                    // in place, blocking
///     double sum = all_reduce(comm, 3.0);                // one value, by value
///     all_gather(comm, mine, into(all));                 // grows the vector
///     auto future = bcast(async(comm), x);               // non-blocking (async.hpp)
///     auto sums = all_reduce(plan(comm), x, Maximum{});  // persistent (plan.hpp)
///
/// Every rank of the communicator calls the same function with matching sizes and the same root;
/// CAIRN_CHECK=collectives checks that (check.hpp). What buffers may be stands in buffer.hpp, what
/// reduces in operation.hpp. Outputs have the size of what comes, or are into(vector) or fresh.
///
/// Errors: a size that is wrong on this rank is Error{internal} here, before anything is sent;
/// MPI's errors are Error{mpi_failure} on the ranks that see them, the outputs are then
/// unspecified. Counts are in elements and have 64 bits; above 2^31 - 1 they go by derived types,
/// reductions in pieces.
///
/// Source of the semantics: MPI: A Message-Passing Interface Standard, version 3.1, chapter 5.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <span>
#include <utility>

#include "cairn/collectives/buffer.hpp"
#include "cairn/collectives/call.hpp"
#include "cairn/collectives/check.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/collectives/datatype.hpp"
#include "cairn/collectives/operation.hpp"
#include "cairn/core/expects.hpp"

namespace cairn {

/// Counts and displacements of a v-collective, in elements of the flat buffer; one entry per rank,
/// the caller's. MPI's ints: for parts that do not fit see wide_layout.hpp.
struct Layout {
  std::span<const int> counts;
  std::span<const int> displacements;
};

namespace detail {

inline void expect_rank(const Communicator& comm, int rank) {
  // Rank -1 is MPI_PROC_NULL and -2 MPI_ANY_SOURCE: a wrong index would go through silently.
  expects(rank >= 0 && rank < comm.size(), "a rank of the communicator");
}

inline std::size_t ranks_of(const Communicator& comm) noexcept {
  return static_cast<std::size_t>(comm.size());
}

/// Every part of `parts` entries inside a buffer of n elements.
inline void expect_layout(const Layout& layout, std::size_t parts, std::size_t n) {
  expects(layout.counts.size() == parts && layout.displacements.size() == parts,
          "one count and one displacement per part");
  for (std::size_t r = 0; r < parts; ++r) {
    expects(layout.counts[r] >= 0 && layout.displacements[r] >= 0 &&
                static_cast<std::size_t>(layout.counts[r]) +
                        static_cast<std::size_t>(layout.displacements[r]) <=
                    n,
            "every part inside the buffer");
  }
}

/// The type of the elements of a held buffer.
template <typename Held>
using ElementOf = ValueOf<std::remove_cvref_t<decltype(std::declval<Held&>().view())>>;

/// Pieces of at most max_count elements: body(first, count), once for none.
template <typename Body>
void in_pieces(std::size_t n, Body body) {
  if (n <= max_count) [[likely]] {
    body(std::size_t{0}, static_cast<int>(n));
    return;
  }
  for (std::size_t first = 0; first < n; first += max_count) {
    body(first, static_cast<int>(n - first < max_count ? n - first : max_count));
  }
}

template <typename Op>
concept NotABuffer =
    !Sized<std::remove_cvref_t<Op>> && !is_into<std::remove_cvref_t<Op>> &&
    !is_strided<std::remove_cvref_t<Op>> && !std::is_array_v<std::remove_cvref_t<Op>> && !requires {
  typename std::remove_cvref_t<Op>::template Made<int>;
};
template <typename B>
concept ABuffer = !NotABuffer<B>;

template <typename T>
concept ReducesItself = requires {
  typename std::remove_cvref_t<T>::ReducesItself;
};

/// All but what brings an all_reduce of its own, as ExactSum and arrays of it do.
template <typename B>
concept Reducible = !ReducesItself<B> && !requires(B & b) {
  b.data();
  requires ReducesItself<decltype(*b.data())>;
};

}  // namespace detail

/// Fills `displacements` with the exclusive prefix sums of `counts`: parts stand one behind the
/// other. Local.
/// @return the total
/// @throws Error{Errc::internal} for a total above 2^31 - 1, beyond MPI's ints; use Parts
/// (unknown_counts.hpp)
inline int packed_displacements(std::span<const int> counts, std::span<int> displacements) {
  expects(counts.size() == displacements.size(), "as many displacements as counts");
  int total = 0;
  for (std::size_t r = 0; r < counts.size(); ++r) {
    displacements[r] = total;
    expects(counts[r] >= 0 && counts[r] <= INT_MAX - total,
            "a total of at most 2^31 - 1 elements; above, use Parts");
    total += counts[r];
  }
  return total;
}

/// Returns when every rank has called it.
template <Way W>
auto barrier(const W& way, Where where = Where::here()) {
  return carry_out(way, detail::Signature{"barrier"}, where,
                   detail::Frame{detail::Nothing{}, detail::Nothing{}},
                   [](auto& perform, auto&) { perform(detail::native_barrier); });
}

/// Copies `data` (shape [n], n equal on all ranks) of rank `root` to every rank.
///
/// A scalar is passed by value, and what rank `root` passed is returned on every rank. For a length
/// that only the root knows pass into(vector) (unknown_counts.hpp).
template <Way W, typename B>
requires(!detail::is_into<std::remove_cvref_t<B>>) auto bcast(const W& way, B&& data, int root = 0,
                                                              Where where = Where::here()) {
  static_assert(
      !requires { data.c_str(); },
      "cairn: does every rank know the length of this text? then pass std::span(text), "
      "else into(text)");
  detail::expect_rank(detail::communicator_of(way), root);
  auto inout = detail::hold(std::forward<B>(data));
  using T = detail::ElementOf<decltype(inout)>;
  const detail::Signature signature{"bcast", detail::signature_of<T>(), inout.view().count(), root};
  return carry_out(way, signature, where, detail::Frame{detail::Nothing{}, std::move(inout)},
                   [root](auto& perform, auto& frame) {
                     const auto elements = frame.out.view();
                     const detail::Wire wire(elements);
                     perform(detail::native_bcast,
                             static_cast<void*>(detail::writable(elements.data)), wire.count,
                             wire.type, root);
                   });
}

/// Reduces element by element over the ranks into `out` of rank `root`; `out` may be empty
/// elsewhere. `in` and `out` do not overlap.
///
/// @par Determinism  floating-point sums depend on the number of ranks; use exact_sum() where the
/// bits matter
template <Way W, typename In, typename Out, typename Op = Sum>
auto reduce(const W& way, In&& input, Out&& output, int root = 0, Op op = {},
            Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  detail::expect_rank(comm, root);
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  const std::size_t n = in.view().count();
  auto out = detail::hold_output<T>(std::forward<Out>(output), comm.is_root(root) ? n : 0);
  expects(!comm.is_root(root) || out.view().count() == n, "out of the size of in at the root");
  const detail::Signature signature{"reduce", detail::signature_of<T>(), n, root,
                                    detail::signature_of<Op>()};
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
  expects(out.view().count() == in.view().count(), "out of the size of in");
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
auto all_reduce(const W& way, B&& data, Op op = {}, Where where = Where::here()) {
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
auto scan(const W& way, B&& data, Op op = {}, Where where = Where::here()) {
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
auto exscan(const W& way, B&& data, Op op = {}, Where where = Where::here()) {
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
  expects(in.view().count() == p * out.view().count(), "in of size p·n, out of size n");
  const detail::Signature signature{"reduce_scatter_block", detail::signature_of<T>(), n,
                                    detail::Signature::no_root, detail::signature_of<Op>()};
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
  expects(counts.size() == detail::ranks_of(comm), "one count per rank");
  std::size_t total = 0;
  for (const int count : counts) {
    expects(count >= 0, "counts of 0 or more");
    total += static_cast<std::size_t>(count);
  }
  const auto mine = static_cast<std::size_t>(counts[static_cast<std::size_t>(comm.rank())]);
  auto out = detail::hold_output<T>(std::forward<Out>(output), mine);
  expects(in.view().count() == total && out.view().count() == mine,
          "in of the size of all counts, out of the size of this rank's");
  const detail::Signature signature{"reduce_scatter", detail::signature_of<T>(), total,
                                    detail::Signature::no_root, detail::signature_of<Op>()};
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

/// Collects `input` (shape [n], n equal everywhere) of all ranks at `root`, in rank order.
/// @param output  shape [p·n] at the root, ignored elsewhere
template <Way W, typename In, typename Out>
auto gather(const W& way, In&& input, Out&& output, int root = 0, Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  detail::expect_rank(comm, root);
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  const std::size_t n = in.view().count();
  const std::size_t all = comm.is_root(root) ? n * detail::ranks_of(comm) : 0;
  auto out = detail::hold_output<T>(std::forward<Out>(output), all);
  expects(!comm.is_root(root) || out.view().count() == all, "out of size p·n at the root");
  return carry_out(
      way, detail::Signature{"gather", detail::signature_of<T>(), n, root}, where,
      detail::Frame{std::move(in), std::move(out)}, [root, n](auto& perform, auto& frame) {
        const auto from = frame.in.view();
        const detail::Wire send(from);
        const detail::Wire part(n, datatype_of<T>());
        perform(detail::native_gather, static_cast<const void*>(from.data), send.count, send.type,
                static_cast<void*>(detail::writable(detail::contiguous(frame.out.view()).data)),
                part.count, part.type, root);
      });
}

/// Collects parts of different sizes at `root`. `layout` and `output` count at the root alone.
/// For counts that the root does not know see unknown_counts.hpp.
template <Way W, typename In, typename Out>
auto gather_v(const W& way, In&& input, Out&& output, const Layout& layout, int root = 0,
              Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  detail::expect_rank(comm, root);
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  auto out = detail::hold(std::forward<Out>(output));
  if (comm.is_root(root)) {
    detail::expect_layout(layout, detail::ranks_of(comm), out.view().count());
  }
  const detail::Signature signature{"gather_v", detail::signature_of<T>(),
                                    detail::Signature::any_count, root};
  return carry_out(
      way, signature, where, detail::Frame{std::move(in), std::move(out)},
      [root, layout](auto& perform, auto& frame) {
        const auto from = frame.in.view();
        const detail::Wire send(from);
        perform(detail::native_gather_v, static_cast<const void*>(from.data), send.count, send.type,
                static_cast<void*>(detail::writable(detail::contiguous(frame.out.view()).data)),
                layout.counts.data(), layout.displacements.data(), datatype_of<T>(), root);
      });
}

/// Collects `input` (shape [n], n equal everywhere) of all ranks on every rank.
/// @param output  shape [p·n]
template <Way W, typename In, typename Out>
auto all_gather(const W& way, In&& input, Out&& output, Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  const std::size_t n = in.view().count();
  auto out = detail::hold_output<T>(std::forward<Out>(output), n * detail::ranks_of(comm));
  expects(out.view().count() == n * detail::ranks_of(comm), "out of size p·n");
  return carry_out(
      way, detail::Signature{"all_gather", detail::signature_of<T>(), n}, where,
      detail::Frame{std::move(in), std::move(out)}, [n](auto& perform, auto& frame) {
        const auto from = frame.in.view();
        const detail::Wire send(from);
        const detail::Wire part(n, datatype_of<T>());
        perform(detail::native_all_gather, static_cast<const void*>(from.data), send.count,
                send.type,
                static_cast<void*>(detail::writable(detail::contiguous(frame.out.view()).data)),
                part.count, part.type);
      });
}

/// Collects parts of different sizes on every rank; `layout` is equal everywhere.
/// For counts that nobody knows see unknown_counts.hpp.
template <Way W, typename In, typename Out>
auto all_gather_v(const W& way, In&& input, Out&& output, const Layout& layout,
                  Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  auto out = detail::hold(std::forward<Out>(output));
  detail::expect_layout(layout, detail::ranks_of(comm), out.view().count());
  expects(in.view().count() ==
              static_cast<std::size_t>(layout.counts[static_cast<std::size_t>(comm.rank())]),
          "in of the size that the layout gives this rank");
  return carry_out(
      way, detail::Signature{"all_gather_v", detail::signature_of<T>()}, where,
      detail::Frame{std::move(in), std::move(out)}, [layout](auto& perform, auto& frame) {
        const auto from = frame.in.view();
        const detail::Wire send(from);
        perform(detail::native_all_gather_v, static_cast<const void*>(from.data), send.count,
                send.type,
                static_cast<void*>(detail::writable(detail::contiguous(frame.out.view()).data)),
                layout.counts.data(), layout.displacements.data(), datatype_of<T>());
      });
}

/// Deals equal parts of `input` (shape [p·n] at the root, ignored elsewhere) to the ranks.
/// @param output  shape [n], n equal everywhere
template <Way W, typename In, typename Out>
auto scatter(const W& way, In&& input, Out&& output, int root = 0, Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  detail::expect_rank(comm, root);
  auto in = detail::hold(std::forward<In>(input));
  auto out = detail::hold(std::forward<Out>(output));
  using T = detail::ElementOf<decltype(out)>;
  const std::size_t n = out.view().count();
  expects(!comm.is_root(root) || in.view().count() == n * detail::ranks_of(comm),
          "in of size p·n at the root");
  return carry_out(way, detail::Signature{"scatter", detail::signature_of<T>(), n, root}, where,
                   detail::Frame{std::move(in), std::move(out)},
                   [root, n](auto& perform, auto& frame) {
                     const auto to = frame.out.view();
                     const detail::Wire receive(to);
                     const detail::Wire part(n, datatype_of<T>());
                     perform(detail::native_scatter,
                             static_cast<const void*>(detail::contiguous(frame.in.view()).data),
                             part.count, part.type, static_cast<void*>(detail::writable(to.data)),
                             receive.count, receive.type, root);
                   });
}

/// Deals parts of different sizes. `input` and `layout` count at the root alone.
/// @param output  shape [n] of this rank's part
template <Way W, typename In, typename Out>
auto scatter_v(const W& way, In&& input, const Layout& layout, Out&& output, int root = 0,
               Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  detail::expect_rank(comm, root);
  auto in = detail::hold(std::forward<In>(input));
  auto out = detail::hold(std::forward<Out>(output));
  using T = detail::ElementOf<decltype(out)>;
  if (comm.is_root(root)) {
    detail::expect_layout(layout, detail::ranks_of(comm), in.view().count());
  }
  const detail::Signature signature{"scatter_v", detail::signature_of<T>(),
                                    detail::Signature::any_count, root};
  return carry_out(way, signature, where, detail::Frame{std::move(in), std::move(out)},
                   [root, layout](auto& perform, auto& frame) {
                     const auto to = frame.out.view();
                     const detail::Wire receive(to);
                     perform(detail::native_scatter_v,
                             static_cast<const void*>(detail::contiguous(frame.in.view()).data),
                             layout.counts.data(), layout.displacements.data(), datatype_of<T>(),
                             static_cast<void*>(detail::writable(to.data)), receive.count,
                             receive.type, root);
                   });
}

/// Sends part r of `input` to rank r; `output` gets the parts in rank order.
/// @param input, output  shape [p·n], n equal everywhere
template <Way W, typename In, typename Out>
auto all_to_all(const W& way, In&& input, Out&& output, Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  const std::size_t all = in.view().count();
  auto out = detail::hold_output<T>(std::forward<Out>(output), all);
  expects(out.view().count() == all && all % detail::ranks_of(comm) == 0, "in and out of size p·n");
  const std::size_t n = all / detail::ranks_of(comm);
  return carry_out(
      way, detail::Signature{"all_to_all", detail::signature_of<T>(), n}, where,
      detail::Frame{std::move(in), std::move(out)}, [n](auto& perform, auto& frame) {
        const detail::Wire part(n, datatype_of<T>());
        perform(detail::native_all_to_all,
                static_cast<const void*>(detail::contiguous(frame.in.view()).data), part.count,
                part.type,
                static_cast<void*>(detail::writable(detail::contiguous(frame.out.view()).data)),
                part.count, part.type);
      });
}

/// Sends parts of different sizes; what rank r sends to rank q is what q expects from r.
/// For counts that the receivers do not know see unknown_counts.hpp.
template <Way W, typename In, typename Out>
auto all_to_all_v(const W& way, In&& input, const Layout& in_layout, Out&& output,
                  const Layout& out_layout, Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  auto in = detail::hold(std::forward<In>(input));
  auto out = detail::hold(std::forward<Out>(output));
  using T = detail::ElementOf<decltype(out)>;
  detail::expect_layout(in_layout, detail::ranks_of(comm), in.view().count());
  detail::expect_layout(out_layout, detail::ranks_of(comm), out.view().count());
  return carry_out(
      way, detail::Signature{"all_to_all_v", detail::signature_of<T>()}, where,
      detail::Frame{std::move(in), std::move(out)},
      [in_layout, out_layout](auto& perform, auto& frame) {
        perform(detail::native_all_to_all_v,
                static_cast<const void*>(detail::contiguous(frame.in.view()).data),
                in_layout.counts.data(), in_layout.displacements.data(), datatype_of<T>(),
                static_cast<void*>(detail::writable(detail::contiguous(frame.out.view()).data)),
                out_layout.counts.data(), out_layout.displacements.data(), datatype_of<T>());
      });
}

/// Parts of an untyped buffer, each with a datatype of its own; one entry per rank, the caller's.
struct TypedLayout {
  std::span<const int> counts;               ///< in elements of the types
  std::span<const int> displacements_bytes;  ///< from the start of the buffer
  std::span<const MPI_Datatype> types;       ///< committed
};

/// Sends parts of different sizes and datatypes.
/// @param input, output  memory that the layouts describe; the caller's, and not checked
template <Way W>
auto all_to_all_w(const W& way, const void* input, const TypedLayout& in_layout, void* output,
                  const TypedLayout& out_layout, Where where = Where::here()) {
  const std::size_t p = detail::ranks_of(detail::communicator_of(way));
  for (const auto* layout : {&in_layout, &out_layout}) {
    expects(layout->counts.size() == p && layout->displacements_bytes.size() == p &&
                layout->types.size() == p,
            "one count, displacement and type per rank");
  }
  return carry_out(way, detail::Signature{"all_to_all_w"}, where,
                   detail::Frame{detail::Nothing{}, detail::Nothing{}},
                   [input, in_layout, output, out_layout](auto& perform, auto&) {
                     perform(detail::native_all_to_all_w, input, in_layout.counts.data(),
                             in_layout.displacements_bytes.data(), in_layout.types.data(), output,
                             out_layout.counts.data(), out_layout.displacements_bytes.data(),
                             out_layout.types.data());
                   });
}

}  // namespace cairn
