/// The v-collectives with counts and displacements of 64 bits.
///
///     const WideLayout layout{counts, displacements};            // std::size_t, one per rank
///     all_gather_v(comm, mine, all, layout);
///     auto sum = gather_v(async(comm), mine, all, layout, root); // and plan(comm)
///
/// As those of a Layout in collective.hpp. All ranks pass a WideLayout, those on which it does not
/// count an empty one.
///
/// @par Cost  one message between each two ranks that have something for each other
///      (MPI_Alltoallw), and a datatype for each; where counts and displacements fit into an int on
///      all ranks a Layout does better
/// @par Source  parts as datatypes at absolute displacements: Hammond, Schäfer, Latham, "To INT_MAX
///      … and beyond! Exploring large-count support in MPI", ExaMPI 2014
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "cairn/collectives/collective.hpp"

namespace cairn {

/// Counts and displacements of a v-collective, in elements of the flat buffer; one entry per rank,
/// the caller's.
struct WideLayout {
  std::span<const std::size_t> counts;
  std::span<const std::size_t> displacements;
};

namespace detail {

/// What MPI_Alltoallw sends to, or receives from, each rank (or neighbour): nothing, or one element
/// of a datatype that has the part's displacement in it.
class PartTypes {
 public:
  explicit PartTypes(std::size_t ranks);
  PartTypes(PartTypes&&) noexcept = default;
  PartTypes& operator=(PartTypes&&) = delete;
  PartTypes(const PartTypes&) = delete;
  PartTypes& operator=(const PartTypes&) = delete;
  ~PartTypes();

  /// `count` elements from element `displacement` on are for, or from, `rank`.
  void set(std::size_t rank, std::size_t count, std::size_t displacement, MPI_Datatype element);
  void set(const WideLayout& layout, MPI_Datatype element);

  [[nodiscard]] const int* counts() const noexcept { return counts_.data(); }
  [[nodiscard]] const int* displacements() const noexcept { return displacements_.data(); }
  /// The same for neighbourhoods.
  [[nodiscard]] const MPI_Aint* offsets_bytes() const noexcept { return offsets_bytes_.data(); }
  [[nodiscard]] const MPI_Datatype* types() const noexcept { return types_.data(); }

 private:
  std::vector<int> counts_;
  std::vector<int> displacements_;       // all 0
  std::vector<MPI_Aint> offsets_bytes_;  // all 0
  std::vector<MPI_Datatype> types_;
};

/// Both sides of a call, kept until it is done.
struct PartsOfCall {
  static constexpr bool owns = true;
  PartsOfCall(std::size_t destinations, std::size_t sources)
      : send(destinations), receive(sources) {}
  explicit PartsOfCall(std::size_t ranks) : PartsOfCall(ranks, ranks) {}
  PartTypes send;
  PartTypes receive;
};

/// Every part inside a buffer of n elements.
inline void expect_layout(const Require& require, const WideLayout& layout, std::size_t parts,
                          std::size_t n) {
  require(layout.counts.size() == parts && layout.displacements.size() == parts,
          "one count and one displacement per part");
  for (std::size_t r = 0; r < parts; ++r) {
    require(layout.displacements[r] <= n && layout.counts[r] <= n - layout.displacements[r],
            "every part inside the buffer");
  }
}

template <Way W, typename In, typename Out>
auto exchange_parts(const W& way, const Signature& signature, const Where& where, In in, Out out,
                    PartsOfCall parts) {
  return carry_out(
      way, signature, where, Frame{std::move(in), std::move(out), std::move(parts)},
      [](auto& perform, auto& frame) {
        perform(native_all_to_all_w, static_cast<const void*>(contiguous(frame.in.view()).data),
                frame.op.send.counts(), frame.op.send.displacements(), frame.op.send.types(),
                static_cast<void*>(writable(contiguous(frame.out.view()).data)),
                frame.op.receive.counts(), frame.op.receive.displacements(),
                frame.op.receive.types());
      });
}

}  // namespace detail

/// @param layout  counts at the root alone
template <Way W, typename In, typename Out>
auto gather_v(const W& way, In&& input, Out&& output, const WideLayout& layout, int root = 0,
              Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  auto out = detail::hold_output_of<T>(std::forward<Out>(output),
                                       comm.is_root(root) ? layout : WideLayout{});
  const detail::Signature signature{"gather_v of a wide layout", detail::signature_of<T>(),
                                    detail::Signature::any_count, root};
  const auto require = detail::require_for(way, signature, where);
  require.rank(root);
  detail::PartsOfCall parts(detail::ranks_of(comm));
  parts.send.set(static_cast<std::size_t>(root), in.view().count(), 0, datatype_of<T>());
  if (comm.is_root(root)) {
    detail::expect_layout(require, layout, detail::ranks_of(comm), out.view().count());
    parts.receive.set(layout, datatype_of<T>());
  }
  return detail::exchange_parts(way, signature, where, std::move(in), std::move(out),
                                std::move(parts));
}

template <Way W, typename In, typename Out>
auto all_gather_v(const W& way, In&& input, Out&& output, const WideLayout& layout,
                  Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  auto out = detail::hold_output_of<T>(std::forward<Out>(output), layout);
  const std::size_t p = detail::ranks_of(comm);
  const std::size_t n = in.view().count();
  const detail::Signature signature{
      .call = "all_gather_v of a wide layout",
      .element = detail::signature_of<T>(),
      .wide_counts = layout.counts.data(),
  };
  const auto require = detail::require_for(way, signature, where);
  detail::expect_layout(require, layout, p, out.view().count());
  require(n == layout.counts[static_cast<std::size_t>(comm.rank())],
          "in of the size that the layout gives this rank");
  detail::PartsOfCall parts(p);
  for (std::size_t r = 0; r < p; ++r) parts.send.set(r, n, 0, datatype_of<T>());
  parts.receive.set(layout, datatype_of<T>());
  return detail::exchange_parts(way, signature, where, std::move(in), std::move(out),
                                std::move(parts));
}

/// @param layout  counts, as `input` does, at the root alone
template <Way W, typename In, typename Out>
auto scatter_v(const W& way, In&& input, const WideLayout& layout, Out&& output, int root = 0,
               Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  auto out = detail::hold_sized_output<T>(std::forward<Out>(output));
  const detail::Signature signature{"scatter_v of a wide layout", detail::signature_of<T>(),
                                    detail::Signature::any_count, root};
  const auto require = detail::require_for(way, signature, where);
  require.rank(root);
  detail::PartsOfCall parts(detail::ranks_of(comm));
  if (comm.is_root(root)) {
    detail::expect_layout(require, layout, detail::ranks_of(comm), in.view().count());
    parts.send.set(layout, datatype_of<T>());
  }
  parts.receive.set(static_cast<std::size_t>(root), out.view().count(), 0, datatype_of<T>());
  return detail::exchange_parts(way, signature, where, std::move(in), std::move(out),
                                std::move(parts));
}

template <Way W, typename In, typename Out>
auto all_to_all_v(const W& way, In&& input, const WideLayout& in_layout, Out&& output,
                  const WideLayout& out_layout, Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  auto out = detail::hold_output_of<T>(std::forward<Out>(output), out_layout);
  const std::size_t p = detail::ranks_of(comm);
  const detail::Signature signature{"all_to_all_v of wide layouts", detail::signature_of<T>()};
  const auto require = detail::require_for(way, signature, where);
  detail::expect_layout(require, in_layout, p, in.view().count());
  detail::expect_layout(require, out_layout, p, out.view().count());
  detail::PartsOfCall parts(p);
  parts.send.set(in_layout, datatype_of<T>());
  parts.receive.set(out_layout, datatype_of<T>());
  return detail::exchange_parts(way, signature, where, std::move(in), std::move(out),
                                std::move(parts));
}

/// Reduces element by element and deals parts of different sizes, each by a reduction to its rank.
/// @param input   shape [Σ counts]
/// @param output  shape [counts[rank]]
/// @param counts  one entry per rank, equal everywhere
template <Way W, typename In, typename Out, typename Op = Sum>
auto reduce_scatter(const W& way, In&& input, Out&& output, std::span<const std::size_t> counts,
                    Op op = {}, Where where = Where::here()) {
  const auto& comm = detail::communicator_of(way);
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  std::size_t total = 0;
  for (const std::size_t count : counts)
    total = count <= SIZE_MAX - total ? total + count : SIZE_MAX;  // which no buffer has
  const detail::Signature signature{
      .call = "reduce_scatter of wide counts",
      .element = detail::signature_of<T>(),
      .count = total,
      .operation = detail::signature_of<Op>(),
      .wide_counts = counts.data(),
  };
  const auto require = detail::require_for(way, signature, where);
  require(counts.size() == detail::ranks_of(comm), "one count per rank");
  const std::size_t mine = counts[static_cast<std::size_t>(comm.rank())];
  auto out = detail::hold_output<T>(std::forward<Out>(output), mine);
  require(in.view().count() == total && out.view().count() == mine,
          "in of the size of all counts, out of the size of this rank's");
  return carry_out(
      way, signature, where,
      detail::Frame{std::move(in), std::move(out), detail::Reducer<Op, T>(std::move(op))},
      [counts, rank = static_cast<std::size_t>(comm.rank())](auto& perform, auto& frame) {
        const auto* from = detail::contiguous(frame.in.view()).data;
        auto* to = detail::writable(detail::contiguous(frame.out.view()).data);
        const MPI_Op native = frame.op.native();
        for (std::size_t r = 0; r < counts.size(); ++r) {
          detail::reduce_part(perform, from, to, counts[r], frame.op.type(), native, r, rank);
          from += counts[r];
        }
      });
}

}  // namespace cairn
