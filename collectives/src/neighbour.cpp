#include "cairn/collectives/neighbour.hpp"

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

Degrees degrees_of(const Communicator& comm) {
  int topology = MPI_UNDEFINED;
  check_mpi(MPI_Topo_test(comm.native(), &topology), "MPI_Topo_test");
  expects(topology == MPI_CART || topology == MPI_DIST_GRAPH,
          "a communicator with neighbours: of a NeighbourGraph or a CartesianGrid");
  if (topology == MPI_CART) {
    int axes = 0;
    check_mpi(MPI_Cartdim_get(comm.native(), &axes), "MPI_Cartdim_get");
    return {2 * static_cast<std::size_t>(axes), 2 * static_cast<std::size_t>(axes)};
  }
  int in = 0;
  int out = 0;
  int is_weighted = 0;
  check_mpi(MPI_Dist_graph_neighbors_count(comm.native(), &in, &out, &is_weighted),
            "MPI_Dist_graph_neighbors_count");
  return {static_cast<std::size_t>(in), static_cast<std::size_t>(out)};
}

}  // namespace detail

}  // namespace cairn
