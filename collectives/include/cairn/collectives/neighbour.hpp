/// Neighbourhood collectives: exchanges along the edges of a graph or a Cartesian grid.
///
///     NeighbourGraph graph(comm, sources, destinations);
///     neighbor_all_to_all_v(graph.comm(), x, x_layout, ghosts, ghost_layout);
///     auto halo = neighbor_all_to_all_v(plan(graph.comm()), …);      // once; then start(), wait()
///
/// On a CartesianGrid (its comm()) the neighbours are, for each axis, the rank one step down, then
/// the one up; parts of neighbours beyond an open boundary are neither sent nor received. Where
/// both are the same rank, on a periodic axis of one or two, async and plan send messages in place
/// of Open MPI's call, which would swap the two parts. On any other Communicator with a grid's
/// neighbours, such as a duplicate, the first of these calls waits for all ranks.
///
/// Errors, counts and ways as in collective.hpp. Source of the semantics: MPI 3.1, section 7.6.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/requests.hpp"

namespace cairn {

/// Ranks with directed edges between them.
class NeighbourGraph {
 public:
  /// Collective over `parent`; ranks keep their numbers. Rank a names b among its destinations as
  /// often as b names a among its sources.
  /// @param sources       ranks that this one receives from, in the order of the parts
  /// @param destinations  ranks that this one sends to, in the order of the parts
  /// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
  NeighbourGraph(const Communicator& parent, std::span<const int> sources,
                 std::span<const int> destinations, Where where = Where::here());

  [[nodiscard]] const Communicator& comm() const noexcept { return comm_; }
  [[nodiscard]] std::span<const int> sources() const noexcept { return sources_; }
  [[nodiscard]] std::span<const int> destinations() const noexcept { return destinations_; }

 private:
  std::vector<int> sources_;
  std::vector<int> destinations_;
  Communicator comm_;
};

namespace detail {

/// Edges into and out of this rank. Local.
/// @throws Error{Errc::internal} for a communicator without neighbours
struct Degrees {
  std::size_t in;
  std::size_t out;
};
Degrees degrees_of(const Communicator& comm);

/// Open MPI 4.1 refuses null pointers here, also where a rank has no neighbours and nothing to
/// send.
inline constinit std::max_align_t nowhere{};
template <typename T>
T* not_null(T* pointer) noexcept {
  return pointer != nullptr ? pointer : reinterpret_cast<T*>(&nowhere);
}
inline const void* not_null(const void* pointer) noexcept {
  return pointer != nullptr ? pointer : &nowhere;
}
inline void* not_null(void* pointer) noexcept { return pointer != nullptr ? pointer : &nowhere; }

inline constexpr Native<MPI_Neighbor_allgather, MPI_Ineighbor_allgather> native_neighbor_all_gather{
    "MPI_Neighbor_allgather"};
inline constexpr Native<MPI_Neighbor_allgatherv, MPI_Ineighbor_allgatherv>
    native_neighbor_all_gather_v{"MPI_Neighbor_allgatherv"};
inline constexpr Native<MPI_Neighbor_alltoall, MPI_Ineighbor_alltoall> native_neighbor_all_to_all{
    "MPI_Neighbor_alltoall"};
inline constexpr Native<MPI_Neighbor_alltoallv, MPI_Ineighbor_alltoallv>
    native_neighbor_all_to_all_v{"MPI_Neighbor_alltoallv"};
inline constexpr Native<MPI_Neighbor_alltoallw, MPI_Ineighbor_alltoallw>
    native_neighbor_all_to_all_w{"MPI_Neighbor_alltoallw"};

/// Starts the call by messages where MPI's non-blocking one would take the part from below for the
/// one from above, since both come from the same rank: whether it did.
bool through_messages(const Communicator& comm, Requests& requests,
                      const decltype(native_neighbor_all_to_all)&, const void* in, int in_count,
                      MPI_Datatype in_type, void* out, int out_count, MPI_Datatype out_type);
bool through_messages(const Communicator& comm, Requests& requests,
                      const decltype(native_neighbor_all_to_all_v)&, const void* in,
                      const int* in_counts, const int* in_displacements, MPI_Datatype in_type,
                      void* out, const int* out_counts, const int* out_displacements,
                      MPI_Datatype out_type);
bool through_messages(const Communicator& comm, Requests& requests,
                      const decltype(native_neighbor_all_to_all_w)&, const void* in,
                      const int* in_counts, const MPI_Aint* in_displacements_bytes,
                      const MPI_Datatype* in_types, void* out, const int* out_counts,
                      const MPI_Aint* out_displacements_bytes, const MPI_Datatype* out_types);

}  // namespace detail

/// Sends `input` (shape [n], n equal everywhere) to all destinations.
/// @param output  shape [sources·n], in the order of the sources
template <Way W, typename In, typename Out>
auto neighbor_all_gather(const W& way, In&& input, Out&& output, Where where = Where::here()) {
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  const std::size_t n = in.view().count();
  const std::size_t all = n * detail::degrees_of(detail::communicator_of(way)).in;
  auto out = detail::hold_output<T>(std::forward<Out>(output), all);
  const detail::Signature signature{"neighbor_all_gather", detail::signature_of<T>(), n};
  const auto require = detail::require_for(way, signature, where);
  require(out.view().count() == all, "out of size sources·n");
  return carry_out(way, signature, where, detail::Frame{std::move(in), std::move(out)},
                   [n](auto& perform, auto& frame) {
                     const auto from = frame.in.view();
                     const detail::Wire send(from);
                     const detail::Wire part(n, datatype_of<T>());
                     perform(detail::native_neighbor_all_gather,
                             detail::not_null(static_cast<const void*>(from.data)), send.count,
                             send.type,
                             detail::not_null(static_cast<void*>(
                                 detail::writable(detail::contiguous(frame.out.view()).data))),
                             part.count, part.type);
                   });
}

/// Sends `input` (shape [n]) to all destinations; n differs between ranks.
/// @param layout  of `output`: one part for each source
template <Way W, typename In, typename Out>
auto neighbor_all_gather_v(const W& way, In&& input, Out&& output, const Layout& layout,
                           Where where = Where::here()) {
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  auto out = detail::hold_output_of<T>(std::forward<Out>(output), layout);
  const detail::Signature signature{"neighbor_all_gather_v", detail::signature_of<T>()};
  const auto require = detail::require_for(way, signature, where);
  detail::expect_layout(require, layout, detail::degrees_of(detail::communicator_of(way)).in,
                        out.view().count());
  return carry_out(way, signature, where, detail::Frame{std::move(in), std::move(out)},
                   [layout](auto& perform, auto& frame) {
                     const auto from = frame.in.view();
                     const detail::Wire send(from);
                     perform(detail::native_neighbor_all_gather_v,
                             detail::not_null(static_cast<const void*>(from.data)), send.count,
                             send.type,
                             detail::not_null(static_cast<void*>(
                                 detail::writable(detail::contiguous(frame.out.view()).data))),
                             detail::not_null(layout.counts.data()),
                             detail::not_null(layout.displacements.data()), datatype_of<T>());
                   });
}

/// Sends part i of `input` to destination i; `output` gets the parts in the order of the sources.
/// @param input   shape [destinations·n], n equal everywhere
/// @param output  shape [sources·n]
template <Way W, typename In, typename Out>
auto neighbor_all_to_all(const W& way, In&& input, Out&& output, Where where = Where::here()) {
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  auto out = detail::hold_sized_output<T>(std::forward<Out>(output));
  const auto degrees = detail::degrees_of(detail::communicator_of(way));
  const std::size_t n = degrees.out > 0  ? in.view().count() / degrees.out
                        : degrees.in > 0 ? out.view().count() / degrees.in
                                         : 0;
  // n is not compared: a rank without neighbours does not know it.
  const detail::Signature signature{"neighbor_all_to_all", detail::signature_of<T>()};
  const auto require = detail::require_for(way, signature, where);
  require(in.view().count() == degrees.out * n && out.view().count() == degrees.in * n,
          "in of size destinations·n, out of size sources·n");
  return carry_out(
      way, signature, where, detail::Frame{std::move(in), std::move(out)},
      [n](auto& perform, auto& frame) {
        const detail::Wire part(n, datatype_of<T>());
        perform(
            detail::native_neighbor_all_to_all,
            detail::not_null(static_cast<const void*>(detail::contiguous(frame.in.view()).data)),
            part.count, part.type,
            detail::not_null(
                static_cast<void*>(detail::writable(detail::contiguous(frame.out.view()).data))),
            part.count, part.type);
      });
}

/// Sends parts of different sizes along the edges.
/// @param in_layout   one part for each destination
/// @param out_layout  one part for each source
template <Way W, typename In, typename Out>
auto neighbor_all_to_all_v(const W& way, In&& input, const Layout& in_layout, Out&& output,
                           const Layout& out_layout, Where where = Where::here()) {
  auto in = detail::hold(std::forward<In>(input));
  using T = detail::ElementOf<decltype(in)>;
  auto out = detail::hold_output_of<T>(std::forward<Out>(output), out_layout);
  const auto degrees = detail::degrees_of(detail::communicator_of(way));
  const detail::Signature signature{"neighbor_all_to_all_v", detail::signature_of<T>()};
  const auto require = detail::require_for(way, signature, where);
  detail::expect_layout(require, in_layout, degrees.out, in.view().count());
  detail::expect_layout(require, out_layout, degrees.in, out.view().count());
  return carry_out(
      way, signature, where, detail::Frame{std::move(in), std::move(out)},
      [in_layout, out_layout](auto& perform, auto& frame) {
        perform(
            detail::native_neighbor_all_to_all_v,
            detail::not_null(static_cast<const void*>(detail::contiguous(frame.in.view()).data)),
            detail::not_null(in_layout.counts.data()),
            detail::not_null(in_layout.displacements.data()), datatype_of<T>(),
            detail::not_null(
                static_cast<void*>(detail::writable(detail::contiguous(frame.out.view()).data))),
            detail::not_null(out_layout.counts.data()),
            detail::not_null(out_layout.displacements.data()), datatype_of<T>());
      });
}

/// Parts of an untyped buffer, each with a datatype of its own; one entry per edge, the caller's.
struct TypedEdges {
  std::span<const int> counts;                    ///< in elements of the types
  std::span<const MPI_Aint> displacements_bytes;  ///< from the start of the buffer
  std::span<const MPI_Datatype> types;            ///< committed
};

/// Sends parts of different sizes and datatypes along the edges: faces of a grid, say.
/// @param input, output  memory that the edges describe; the caller's, and not checked
template <Way W>
auto neighbor_all_to_all_w(const W& way, const void* input, const TypedEdges& in_edges,
                           void* output, const TypedEdges& out_edges, Where where = Where::here()) {
  const auto degrees = detail::degrees_of(detail::communicator_of(way));
  const detail::Signature signature{"neighbor_all_to_all_w"};
  const auto require = detail::require_for(way, signature, where);
  const auto expect_edges = [&](const TypedEdges& edges, std::size_t n) {
    require(edges.counts.size() == n && edges.displacements_bytes.size() == n &&
                edges.types.size() == n,
            "one count, displacement and type per edge");
  };
  expect_edges(in_edges, degrees.out);
  expect_edges(out_edges, degrees.in);
  return carry_out(way, signature, where, detail::Frame{detail::Nothing{}, detail::Nothing{}},
                   [input, in_edges, output, out_edges](auto& perform, auto&) {
                     perform(detail::native_neighbor_all_to_all_w, detail::not_null(input),
                             detail::not_null(in_edges.counts.data()),
                             detail::not_null(in_edges.displacements_bytes.data()),
                             detail::not_null(in_edges.types.data()), detail::not_null(output),
                             detail::not_null(out_edges.counts.data()),
                             detail::not_null(out_edges.displacements_bytes.data()),
                             detail::not_null(out_edges.types.data()));
                   });
}

}  // namespace cairn
