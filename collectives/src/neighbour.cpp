#include "cairn/collectives/neighbour.hpp"

#include <array>
#include <cstddef>

#include "cairn/core/mpi_error.hpp"
#include "tags.hpp"

namespace cairn {

namespace {

MPI_Comm graph_of(const Communicator& parent, std::span<const int> sources,
                  std::span<const int> destinations, const Where& where) {
  const detail::Signature signature{"NeighbourGraph"};
  const detail::Require require(parent, signature, where);
  for (const int rank : sources) require.rank(rank);
  for (const int rank : destinations) require.rank(rank);
  detail::compare_if_checked(parent, signature, where);
  constexpr int nobody = 0;  // MPI wants a pointer also where it points to nothing
  MPI_Comm handle = MPI_COMM_NULL;
  check_mpi(
      MPI_Dist_graph_create_adjacent(parent.native(), static_cast<int>(sources.size()),
                                     sources.empty() ? &nobody : sources.data(),
                                     sources.empty() ? MPI_WEIGHTS_EMPTY : MPI_UNWEIGHTED,
                                     static_cast<int>(destinations.size()),
                                     destinations.empty() ? &nobody : destinations.data(),
                                     destinations.empty() ? MPI_WEIGHTS_EMPTY : MPI_UNWEIGHTED,
                                     MPI_INFO_NULL, 0, &handle),
      "MPI_Dist_graph_create_adjacent");
  return handle;
}

}  // namespace

NeighbourGraph::NeighbourGraph(const Communicator& parent, std::span<const int> sources,
                               std::span<const int> destinations, Where where)
    : sources_(sources.begin(), sources.end()),
      destinations_(destinations.begin(), destinations.end()),
      comm_(Communicator::Adopt{}, graph_of(parent, sources, destinations, where), "cairn.graph") {}

namespace detail {

namespace {

int axes_of(MPI_Comm grid) {
  int axes = 0;
  check_mpi(MPI_Cartdim_get(grid, &axes), "MPI_Cartdim_get");
  return axes;
}

}  // namespace

Degrees degrees_of(const Communicator& comm) {
  int topology = MPI_UNDEFINED;
  check_mpi(MPI_Topo_test(comm.native(), &topology), "MPI_Topo_test");
  expects(topology == MPI_CART || topology == MPI_DIST_GRAPH,
          "a communicator with neighbours: of a NeighbourGraph or a CartesianGrid");
  if (topology == MPI_CART) {
    const auto edges = 2 * static_cast<std::size_t>(axes_of(comm.native()));
    return {edges, edges};
  }
  int in = 0;
  int out = 0;
  int is_weighted = 0;
  check_mpi(MPI_Dist_graph_neighbors_count(comm.native(), &in, &out, &is_weighted),
            "MPI_Dist_graph_neighbors_count");
  return {static_cast<std::size_t>(in), static_cast<std::size_t>(out)};
}

namespace {

/// The neighbours on one axis: the rank one step down, and the one up.
std::array<int, 2> neighbours_on(MPI_Comm grid, int axis) {
  std::array<int, 2> ranks{};
  check_mpi(MPI_Cart_shift(grid, axis, 1, &ranks[0], &ranks[1]), "MPI_Cart_shift");
  return ranks;
}

/// Whether both neighbours on some axis are the same rank.
bool has_twofold_neighbours(MPI_Comm comm) {
  int topology = MPI_UNDEFINED;
  check_mpi(MPI_Topo_test(comm, &topology), "MPI_Topo_test");
  if (topology != MPI_CART) return false;
  for (int axis = 0; axis < axes_of(comm); ++axis) {
    const auto [down, up] = neighbours_on(comm, axis);
    if (down == up && down != MPI_PROC_NULL) return true;
  }
  return false;
}

/// What goes along one edge.
template <typename Pointer>
struct Part {
  Pointer data;
  int count;
  MPI_Datatype type;
};

/// One message along each edge of the grid, under a tag of the edge that it was sent along.
/// @param sent, received  give the Part of edge 2·axis (down) and 2·axis + 1 (up)
template <typename Sent, typename Received>
bool start_messages(const Communicator& comm, Requests& requests, Sent sent, Received received) {
  if (!has_twofold_neighbours(comm.native())) return false;
  const MPI_Comm internal = comm.internal();
  const auto for_each_edge = [grid = comm.native()](auto start) {
    for (int axis = 0; axis < axes_of(grid); ++axis) {
      const auto [down, up] = neighbours_on(grid, axis);
      start(2 * axis, down);
      start(2 * axis + 1, up);
    }
  };
  for_each_edge([&](int edge, int neighbour) {
    const Part<void*> part = received(edge);
    const int their_edge = edge ^ 1;  // what comes from below was sent upwards
    requests.started(MPI_Irecv(part.data, part.count, part.type, neighbour,
                               neighbour_tag + their_edge, internal, &requests.next()),
                     "MPI_Irecv");
  });
  for_each_edge([&](int edge, int neighbour) {
    const Part<const void*> part = sent(edge);
    requests.started(MPI_Isend(part.data, part.count, part.type, neighbour, neighbour_tag + edge,
                               internal, &requests.next()),
                     "MPI_Isend");
  });
  return true;
}

MPI_Aint extent_of(MPI_Datatype type) {
  MPI_Aint lower_bound = 0;
  MPI_Aint extent = 0;
  check_mpi(MPI_Type_get_extent(type, &lower_bound, &extent), "MPI_Type_get_extent");
  return extent;
}

const void* at(const void* data, MPI_Aint bytes) {
  return static_cast<const std::byte*>(data) + bytes;
}
void* at(void* data, MPI_Aint bytes) { return static_cast<std::byte*>(data) + bytes; }

/// Parts of equal size, one behind the other.
template <typename Pointer>
auto equal_parts(Pointer data, int count, MPI_Datatype type) {
  return [=, bytes = count * extent_of(type)](int edge) -> Part<Pointer> {
    return {at(data, edge * bytes), count, type};
  };
}

template <typename Pointer>
auto layout_parts(Pointer data, const int* counts, const int* displacements, MPI_Datatype type) {
  return [=, extent = extent_of(type)](int edge) -> Part<Pointer> {
    return {at(data, displacements[edge] * extent), counts[edge], type};
  };
}

template <typename Pointer>
auto typed_parts(Pointer data, const int* counts, const MPI_Aint* displacements_bytes,
                 const MPI_Datatype* types) {
  return [=](int edge) -> Part<Pointer> {
    return {at(data, displacements_bytes[edge]), counts[edge], types[edge]};
  };
}

}  // namespace

bool through_messages(const Communicator& comm, Requests& requests,
                      const decltype(native_neighbor_all_to_all)&, const void* in, int in_count,
                      MPI_Datatype in_type, void* out, int out_count, MPI_Datatype out_type) {
  return start_messages(comm, requests, equal_parts(in, in_count, in_type),
                        equal_parts(out, out_count, out_type));
}

bool through_messages(const Communicator& comm, Requests& requests,
                      const decltype(native_neighbor_all_to_all_v)&, const void* in,
                      const int* in_counts, const int* in_displacements, MPI_Datatype in_type,
                      void* out, const int* out_counts, const int* out_displacements,
                      MPI_Datatype out_type) {
  return start_messages(comm, requests, layout_parts(in, in_counts, in_displacements, in_type),
                        layout_parts(out, out_counts, out_displacements, out_type));
}

bool through_messages(const Communicator& comm, Requests& requests,
                      const decltype(native_neighbor_all_to_all_w)&, const void* in,
                      const int* in_counts, const MPI_Aint* in_displacements_bytes,
                      const MPI_Datatype* in_types, void* out, const int* out_counts,
                      const MPI_Aint* out_displacements_bytes, const MPI_Datatype* out_types) {
  return start_messages(comm, requests,
                        typed_parts(in, in_counts, in_displacements_bytes, in_types),
                        typed_parts(out, out_counts, out_displacements_bytes, out_types));
}

}  // namespace detail

}  // namespace cairn
