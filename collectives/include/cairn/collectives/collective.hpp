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
/// Errors: a size that is wrong on this rank is Error{internal} here, before anything is sent, and
/// with CAIRN_CHECK=collectives on all ranks; MPI's errors are Error{mpi_failure} on the ranks that
/// see them, the outputs are then unspecified. Counts are in elements and have 64 bits; above
/// 2^31 - 1 they go by derived types, reductions in pieces.
///
/// Source of the semantics: MPI: A Message-Passing Interface Standard, version 3.1, chapter 5.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <span>
#include <utility>

#include "cairn/collectives/layout.hpp"
#include "cairn/collectives/reductions.hpp"
#include "cairn/core/expects.hpp"

namespace cairn {

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
requires(!detail::is_into<std::remove_cvref_t<B>>)
    [[nodiscard("cairn: a scalar is taken by value, and what comes of it is returned")]] auto bcast(
        const W& way, B&& data, int root = 0, Where where = Where::here()) {
  static_assert(
      !requires { data.c_str(); },
      "cairn: does every rank know the length of this text? then pass std::span(text), "
      "else into(text)");
  auto inout = detail::hold(std::forward<B>(data));
  using T = detail::ElementOf<decltype(inout)>;
  const detail::Signature signature{"bcast", detail::signature_of<T>(), inout.view().count(), root};
  detail::require_for(way, signature, where).rank(root);
  return carry_out(way, signature, where, detail::Frame{detail::Nothing{}, std::move(inout)},
                   [root](auto& perform, auto& frame) {
                     const auto elements = frame.out.view();
                     const detail::Wire wire(elements);
                     perform(detail::native_bcast,
                             static_cast<void*>(detail::writable(elements.data)), wire.count,
                             wire.type, root);
                   });
}

/// Collects `input` (shape [n], n equal everywhere) of all ranks at `root`, in rank order.
/// @param output  shape [p·n] at the root, ignored elsewhere
template <Way W, typename In, typename Out>
auto gather(const W& way, In&& input, Out&& output, int root = 0, Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  const std::size_t n = in.view().count();
  const detail::Signature signature{"gather", detail::signature_of<T>(), n, root};
  const auto require = detail::require_for(way, signature, where);
  require.rank(root);
  const std::size_t all = comm.is_root(root) ? n * detail::ranks_of(comm) : 0;
  auto out = detail::hold_output<T>(std::forward<Out>(output), all);
  require(!comm.is_root(root) || out.view().count() == all, "out of size p·n at the root");
  return carry_out(
      way, signature, where, detail::Frame{std::move(in), std::move(out)},
      [root, n](auto& perform, auto& frame) {
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
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  auto out =
      detail::hold_output_of<T>(std::forward<Out>(output), comm.is_root(root) ? layout : Layout{});
  const detail::Signature signature{"gather_v", detail::signature_of<T>(),
                                    detail::Signature::any_count, root};
  const auto require = detail::require_for(way, signature, where);
  require.rank(root);
  if (comm.is_root(root)) {
    detail::expect_layout(require, layout, detail::ranks_of(comm), out.view().count());
  }
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
  const detail::Signature signature{"all_gather", detail::signature_of<T>(), n};
  const auto require = detail::require_for(way, signature, where);
  require(out.view().count() == n * detail::ranks_of(comm), "out of size p·n");
  return carry_out(
      way, signature, where, detail::Frame{std::move(in), std::move(out)},
      [n](auto& perform, auto& frame) {
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
  auto out = detail::hold_output_of<T>(std::forward<Out>(output), layout);
  const detail::Signature signature{
      .call = "all_gather_v",
      .element = detail::signature_of<T>(),
      .counts = layout.counts.data(),
  };
  const auto require = detail::require_for(way, signature, where);
  detail::expect_layout(require, layout, detail::ranks_of(comm), out.view().count());
  require(in.view().count() ==
              static_cast<std::size_t>(layout.counts[static_cast<std::size_t>(comm.rank())]),
          "in of the size that the layout gives this rank");
  return carry_out(
      way, signature, where, detail::Frame{std::move(in), std::move(out)},
      [layout](auto& perform, auto& frame) {
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
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  auto out = detail::hold_sized_output<T>(std::forward<Out>(output));
  const std::size_t n = out.view().count();
  const detail::Signature signature{"scatter", detail::signature_of<T>(), n, root};
  const auto require = detail::require_for(way, signature, where);
  require.rank(root);
  require(!comm.is_root(root) || in.view().count() == n * detail::ranks_of(comm),
          "in of size p·n at the root");
  return carry_out(way, signature, where, detail::Frame{std::move(in), std::move(out)},
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
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  auto out = detail::hold_sized_output<T>(std::forward<Out>(output));
  const detail::Signature signature{"scatter_v", detail::signature_of<T>(),
                                    detail::Signature::any_count, root};
  const auto require = detail::require_for(way, signature, where);
  require.rank(root);
  if (comm.is_root(root)) {
    detail::expect_layout(require, layout, detail::ranks_of(comm), in.view().count());
  }
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
  const std::size_t n = all / detail::ranks_of(comm);
  const detail::Signature signature{"all_to_all", detail::signature_of<T>(), n};
  const auto require = detail::require_for(way, signature, where);
  require(out.view().count() == all && all % detail::ranks_of(comm) == 0, "in and out of size p·n");
  return carry_out(
      way, signature, where, detail::Frame{std::move(in), std::move(out)},
      [n](auto& perform, auto& frame) {
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
  using T = detail::ElementOf<decltype(in)>;
  auto out = detail::hold_output_of<T>(std::forward<Out>(output), out_layout);
  const detail::Signature signature{"all_to_all_v", detail::signature_of<T>()};
  const auto require = detail::require_for(way, signature, where);
  detail::expect_layout(require, in_layout, detail::ranks_of(comm), in.view().count());
  detail::expect_layout(require, out_layout, detail::ranks_of(comm), out.view().count());
  return carry_out(
      way, signature, where, detail::Frame{std::move(in), std::move(out)},
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
  const detail::Signature signature{"all_to_all_w"};
  const auto require = detail::require_for(way, signature, where);
  for (const auto* layout : {&in_layout, &out_layout}) {
    require(layout->counts.size() == p && layout->displacements_bytes.size() == p &&
                layout->types.size() == p,
            "one count, displacement and type per rank");
  }
  return carry_out(way, signature, where, detail::Frame{detail::Nothing{}, detail::Nothing{}},
                   [input, in_layout, output, out_layout](auto& perform, auto&) {
                     perform(detail::native_all_to_all_w, input, in_layout.counts.data(),
                             in_layout.displacements_bytes.data(), in_layout.types.data(), output,
                             out_layout.counts.data(), out_layout.displacements_bytes.data(),
                             out_layout.types.data());
                   });
}

}  // namespace cairn
