// Neighbourhood collectives, in each way, on a ring with a chord, on graphs with ranks that have no
// edges, and on grids with open and periodic boundaries.

#include "cairn/collectives/neighbour.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/wide_neighbour.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/random.hpp"
#include "mpi_test.hpp"
#include "ways.hpp"

using namespace cairn;
using test::in_every_way;

namespace {

using Values = std::vector<std::int64_t>;

/// The i-th element of what rank `from` sends to rank `to`.
std::int64_t message(int from, int to, std::size_t i) {
  return 10000 * from + 100 * to + static_cast<std::int64_t>(i);
}

/// Whether there is an edge; some ranks have none at all.
bool has_edge(std::uint64_t trial, int from, int to) {
  const auto index = static_cast<std::uint64_t>(from) * 100 + static_cast<std::uint64_t>(to);
  return from % 3 != 2 && to % 3 != 2 && Random(3, trial).below(index, 2) == 1;
}

std::size_t edge_count(std::uint64_t trial, int from, int to) {
  return Random(4, trial).below(
      static_cast<std::uint64_t>(from) * 100 + static_cast<std::uint64_t>(to), 6);
}

struct Edges {
  Edges(const Communicator& comm, std::uint64_t trial) {
    for (int r = 0; r < comm.size(); ++r) {
      if (has_edge(trial, r, comm.rank())) sources.push_back(r);
      if (has_edge(trial, comm.rank(), r)) destinations.push_back(r);
    }
  }
  std::vector<int> sources;
  std::vector<int> destinations;
};

constexpr std::int64_t untouched = -1;

}  // namespace

TEST_CASE("neighbour collectives on random graphs") {
  const auto& comm = test::world();
  const int rank = comm.rank();
  for (std::uint64_t trial = 0; trial < 6; ++trial) {
    const Edges edges(comm, trial);
    const NeighbourGraph graph(comm, edges.sources, edges.destinations);
    const auto& along = graph.comm();

    for (const std::size_t n : {0, 1, 5}) {
      Values mine(n);
      for (std::size_t i = 0; i < n; ++i) mine[i] = message(rank, 0, i);
      Values gathered, exchanged, in;
      for (const int source : edges.sources) {
        for (std::size_t i = 0; i < n; ++i) {
          gathered.push_back(message(source, 0, i));
          exchanged.push_back(message(source, rank, i));
        }
      }
      for (const int destination : edges.destinations) {
        for (std::size_t i = 0; i < n; ++i) in.push_back(message(rank, destination, i));
      }
      Values out(gathered.size());
      const auto clear = [&] { std::fill(out.begin(), out.end(), untouched); };
      in_every_way(
          along, clear, [&](const auto& way) { return neighbor_all_gather(way, mine, out); },
          [&] { CHECK(out == gathered); });
      in_every_way(
          along, clear, [&](const auto& way) { return neighbor_all_to_all(way, in, out); },
          [&] { CHECK(out == exchanged); });
    }

    std::vector<int> send, receive, gather;
    Values outgoing, incoming, gathered;
    const auto own = static_cast<std::size_t>(rank) % 4;
    for (const int destination : edges.destinations) {
      const auto count = edge_count(trial, rank, destination);
      send.push_back(static_cast<int>(count));
      for (std::size_t i = 0; i < count; ++i) outgoing.push_back(message(rank, destination, i));
    }
    for (const int source : edges.sources) {
      const auto count = edge_count(trial, source, rank);
      receive.push_back(static_cast<int>(count));
      for (std::size_t i = 0; i < count; ++i) incoming.push_back(message(source, rank, i));
      gather.push_back(source % 4);
      for (std::size_t i = 0; i < static_cast<std::size_t>(source % 4); ++i) {
        gathered.push_back(message(source, 7, i));
      }
    }
    std::vector<int> send_at(send.size()), receive_at(receive.size()), gather_at(gather.size());
    packed_displacements(send, send_at);
    packed_displacements(receive, receive_at);
    packed_displacements(gather, gather_at);
    Values got(incoming.size());
    const auto clear = [&] { std::fill(got.begin(), got.end(), untouched); };
    const auto verify = [&] { CHECK(got == incoming); };
    in_every_way(
        along, clear,
        [&](const auto& way) {
          return neighbor_all_to_all_v(way, outgoing, Layout{send, send_at}, got,
                                       Layout{receive, receive_at});
        },
        verify);

    const auto wide = [](const std::vector<int>& numbers) {
      return std::vector<std::size_t>(numbers.begin(), numbers.end());
    };
    const auto send_wide = wide(send), send_at_wide = wide(send_at);
    const auto receive_wide = wide(receive), receive_at_wide = wide(receive_at);
    in_every_way(
        along, clear,
        [&](const auto& way) {
          return neighbor_all_to_all_v(way, outgoing, WideLayout{send_wide, send_at_wide}, got,
                                       WideLayout{receive_wide, receive_at_wide});
        },
        verify);

    std::vector<MPI_Aint> send_bytes, receive_bytes;
    for (const int at : send_at) send_bytes.push_back(at * MPI_Aint{sizeof(std::int64_t)});
    for (const int at : receive_at) receive_bytes.push_back(at * MPI_Aint{sizeof(std::int64_t)});
    const std::vector<MPI_Datatype> send_types(send.size(), MPI_INT64_T);
    const std::vector<MPI_Datatype> receive_types(receive.size(), MPI_INT64_T);
    in_every_way(
        along, clear,
        [&](const auto& way) {
          return neighbor_all_to_all_w(way, outgoing.data(), {send, send_bytes, send_types},
                                       got.data(), {receive, receive_bytes, receive_types});
        },
        verify);

    Values mine(own);
    for (std::size_t i = 0; i < own; ++i) mine[i] = message(rank, 7, i);
    Values all(gathered.size());
    in_every_way(
        along, [&] { std::fill(all.begin(), all.end(), untouched); },
        [&](const auto& way) {
          return neighbor_all_gather_v(way, mine, all, Layout{gather, gather_at});
        },
        [&] { CHECK(all == gathered); });
    const auto gather_wide = wide(gather), gather_at_wide = wide(gather_at);
    in_every_way(
        along, [&] { std::fill(all.begin(), all.end(), untouched); },
        [&](const auto& way) {
          return neighbor_all_gather_v(way, mine, all, WideLayout{gather_wide, gather_at_wide});
        },
        [&] { CHECK(all == gathered); });
  }
}

TEST_CASE("neighbour collectives on grids; parts beyond an open boundary stay as they are") {
  for (const auto boundary : {CartesianGrid::Boundary::open, CartesianGrid::Boundary::periodic}) {
    for (int axes = 1; axes <= 3; ++axes) {
      const CartesianGrid grid(test::world(), axes, boundary);
      const int rank = grid.comm().rank();
      const auto parts = 2 * static_cast<std::size_t>(axes);
      Values in(parts), out(parts), expected(parts, untouched);
      for (std::size_t i = 0; i < parts; ++i) {
        const int axis = static_cast<int>(i) / 2;
        const int step = i % 2 == 0 ? -1 : 1;
        in[i] = message(rank, step + 1, static_cast<std::size_t>(axis));
        const int neighbour = grid.neighbour(axis, step);
        if (neighbour == MPI_PROC_NULL) continue;
        // What comes from below was sent upwards.
        expected[i] = message(neighbour, 1 - step, static_cast<std::size_t>(axis));
      }
      in_every_way(
          grid.comm(), [&] { std::fill(out.begin(), out.end(), untouched); },
          [&](const auto& way) { return neighbor_all_to_all(way, in, out); },
          [&] { CHECK(out == expected); });
    }
  }
}

namespace {

/// What a rank of a grid sends along its edges, and what it gets: parts of 0 to 2 elements with a
/// gap behind each. Two edges between the same ranks have different counts.
struct GridParts {
  explicit GridParts(const CartesianGrid& grid) {
    const int rank = grid.comm().rank();
    for (int axis = 0; axis < grid.axes(); ++axis) {
      for (const int step : {-1, 1}) {
        const int neighbour = grid.neighbour(axis, step);
        const auto edge = [&](int way) { return static_cast<std::size_t>(10 * axis + way + 1); };
        add(out_counts, out_at, out, count(rank, neighbour, step),
            message(rank, neighbour, edge(step)));
        // What comes from below was sent upwards.
        add(in_counts, in_at, in, count(neighbour, rank, -step),
            message(neighbour, rank, edge(-step)));
        add(gather_counts, gather_at, gathered, own_count(neighbour), message(neighbour, 7, 0));
        if (neighbour != MPI_PROC_NULL) continue;
        std::fill(in.begin() + in_at.back(), in.end(), untouched);
        std::fill(gathered.begin() + gather_at.back(), gathered.end(), untouched);
      }
    }
    own.assign(static_cast<std::size_t>(own_count(rank)), message(rank, 7, 0));
  }
  static int count(int from, int to, int step) {
    return to < 0 || from < 0 ? 2 : (from + 2 * to + step + 1) % 3;
  }
  static int own_count(int rank) { return rank < 0 ? 2 : rank % 3; }
  static void add(std::vector<int>& counts, std::vector<int>& at, Values& values, int count,
                  std::int64_t value) {
    counts.push_back(count);
    at.push_back(static_cast<int>(values.size()));
    values.insert(values.end(), static_cast<std::size_t>(count), value);
    values.push_back(untouched);
  }

  std::vector<int> out_counts, out_at, in_counts, in_at, gather_counts, gather_at;
  Values out, in, own, gathered;
};

/// The same numbers as a WideLayout wants them.
struct Wide {
  Wide(const std::vector<int>& c, const std::vector<int>& d)
      : counts(c.begin(), c.end()), displacements(d.begin(), d.end()) {}
  operator WideLayout() const { return {counts, displacements}; }
  std::vector<std::size_t> counts, displacements;
};

}  // namespace

TEST_CASE("parts of different sizes on grids; those beyond an open boundary stay as they are") {
  for (const auto boundary : {CartesianGrid::Boundary::open, CartesianGrid::Boundary::periodic}) {
    for (int axes = 1; axes <= 3; ++axes) {
      const CartesianGrid grid(test::world(), axes, boundary);
      const GridParts parts(grid);
      const Layout send{parts.out_counts, parts.out_at}, receive{parts.in_counts, parts.in_at};
      const Layout gather{parts.gather_counts, parts.gather_at};
      const Wide wide_send(parts.out_counts, parts.out_at);
      const Wide wide_receive(parts.in_counts, parts.in_at);
      const Wide wide_gather(parts.gather_counts, parts.gather_at);
      Values got(parts.in.size()), all(parts.gathered.size());
      const auto clear = [&] {
        std::fill(got.begin(), got.end(), untouched);
        std::fill(all.begin(), all.end(), untouched);
      };
      const auto check_got = [&] { CHECK(got == parts.in); };
      const auto check_all = [&] { CHECK(all == parts.gathered); };
      in_every_way(
          grid.comm(), clear,
          [&](const auto& way) {
            return neighbor_all_to_all_v(way, parts.out, send, got, receive);
          },
          check_got);
      in_every_way(
          grid.comm(), clear,
          [&](const auto& way) {
            return neighbor_all_to_all_v(way, parts.out, WideLayout(wide_send), got,
                                         WideLayout(wide_receive));
          },
          check_got);
      in_every_way(
          grid.comm(), clear,
          [&](const auto& way) { return neighbor_all_gather_v(way, parts.own, all, gather); },
          check_all);
      in_every_way(
          grid.comm(), clear,
          [&](const auto& way) {
            return neighbor_all_gather_v(way, parts.own, all, WideLayout(wide_gather));
          },
          check_all);

      const Values mine(2, message(grid.comm().rank(), 7, 0));
      Values from_all;
      for (int i = 0; i < 2 * axes; ++i) {
        const int neighbour = grid.neighbour(i / 2, i % 2 == 0 ? -1 : 1);
        const bool is_there = neighbour != MPI_PROC_NULL;
        from_all.insert(from_all.end(), 2, is_there ? message(neighbour, 7, 0) : untouched);
      }
      all.resize(from_all.size());
      in_every_way(
          grid.comm(), clear, [&](const auto& way) { return neighbor_all_gather(way, mine, all); },
          [&] { CHECK(all == from_all); });
    }
  }
}

TEST_CASE("two exchanges on a grid that are under way at once do not mix") {
  const CartesianGrid grid(test::world(), 2, CartesianGrid::Boundary::periodic);
  const GridParts parts(grid);
  const Layout send{parts.out_counts, parts.out_at}, receive{parts.in_counts, parts.in_at};
  const Values five(4, 5);
  Values got(parts.in.size(), untouched), fives(4);
  auto first = neighbor_all_to_all_v(async(grid.comm()), parts.out, send, got, receive);
  auto second = neighbor_all_to_all(async(grid.comm()), five, fives);
  second.wait();
  first.wait();
  CHECK(got == parts.in);
  CHECK(fives == five);
}

TEST_CASE("mistakes are said, before anything is sent") {
  const auto& comm = test::world();
  Values none;
  CHECK_THROWS_WITH_AS(neighbor_all_gather(comm, none, none),
                       doctest::Contains("a communicator with neighbours"), Error);
  const std::vector<int> wrong{comm.size()};
  CHECK_THROWS_AS(NeighbourGraph(comm, wrong, {}), Error);
  const std::vector<int> self{comm.rank()};
  const NeighbourGraph graph(comm, self, self);
  Values two(2), three(3);
  CHECK_THROWS_WITH_AS(neighbor_all_gather(graph.comm(), two, three),
                       doctest::Contains("sources·n"), Error);
  CHECK_THROWS_WITH_AS(neighbor_all_to_all(graph.comm(), two, three),
                       doctest::Contains("destinations·n"), Error);
}
