/// The v-collectives of neighbourhoods with counts and displacements of 64 bits; see neighbour.hpp
/// and wide_layout.hpp.
#pragma once

#include <cstddef>
#include <utility>

#include "cairn/collectives/neighbour.hpp"
#include "cairn/collectives/wide_layout.hpp"

namespace cairn {

namespace detail {

template <Way W, typename In, typename Out>
auto exchange_edges(const W& way, const Signature& signature, const Where& where, In in, Out out,
                    PartsOfCall parts) {
  return carry_out(
      way, signature, where, Frame{std::move(in), std::move(out), std::move(parts)},
      [](auto& perform, auto& frame) {
        const auto& [send, receive] = frame.op;
        perform(native_neighbor_all_to_all_w,
                not_null(static_cast<const void*>(contiguous(frame.in.view()).data)),
                not_null(send.counts()), not_null(send.offsets_bytes()), not_null(send.types()),
                not_null(static_cast<void*>(writable(contiguous(frame.out.view()).data))),
                not_null(receive.counts()), not_null(receive.offsets_bytes()),
                not_null(receive.types()));
      });
}

}  // namespace detail

/// Sends `input` (shape [n]) to all destinations; n differs between ranks.
/// @param layout  of `output`: one part for each source
template <Way W, typename In, typename Out>
auto neighbor_all_gather_v(const W& way, In&& input, Out&& output, const WideLayout& layout,
                           Where where = Where::here()) {
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  auto out = detail::hold_output_of<T>(std::forward<Out>(output), layout);
  const auto degrees = detail::degrees_of(detail::communicator_of(way));
  const detail::Signature signature{"neighbor_all_gather_v of a wide layout",
                                    detail::signature_of<T>()};
  const auto require = detail::require_for(way, signature, where);
  detail::expect_layout(require, layout, degrees.in, out.view().count());
  detail::PartsOfCall parts(degrees.out, degrees.in);
  for (std::size_t i = 0; i < degrees.out; ++i)
    parts.send.set(i, in.view().count(), 0, datatype_of<T>());
  parts.receive.set(layout, datatype_of<T>());
  return detail::exchange_edges(way, signature, where, std::move(in), std::move(out),
                                std::move(parts));
}

/// Sends parts of different sizes along the edges.
/// @param in_layout   one part for each destination
/// @param out_layout  one part for each source
template <Way W, typename In, typename Out>
auto neighbor_all_to_all_v(const W& way, In&& input, const WideLayout& in_layout, Out&& output,
                           const WideLayout& out_layout, Where where = Where::here()) {
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  auto out = detail::hold_output_of<T>(std::forward<Out>(output), out_layout);
  const auto degrees = detail::degrees_of(detail::communicator_of(way));
  const detail::Signature signature{"neighbor_all_to_all_v of wide layouts",
                                    detail::signature_of<T>()};
  const auto require = detail::require_for(way, signature, where);
  detail::expect_layout(require, in_layout, degrees.out, in.view().count());
  detail::expect_layout(require, out_layout, degrees.in, out.view().count());
  detail::PartsOfCall parts(degrees.out, degrees.in);
  parts.send.set(in_layout, datatype_of<T>());
  parts.receive.set(out_layout, datatype_of<T>());
  return detail::exchange_edges(way, signature, where, std::move(in), std::move(out),
                                std::move(parts));
}

}  // namespace cairn
