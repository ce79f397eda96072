// A collective call allocates nothing.

#include "allocations.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/async.hpp"
#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/exact_sum.hpp"
#include "cairn/collectives/neighbour.hpp"
#include "cairn/collectives/node_engine.hpp"
#include "cairn/collectives/plan.hpp"
#include "cairn/collectives/point_to_point.hpp"
#include "cairn/collectives/signals.hpp"
#include "cairn/collectives/wide_layout.hpp"
#include "mpi_test.hpp"

using namespace cairn;

namespace {

/// Allocations of ten calls, after three that may set things up.
template <typename Call>
std::size_t allocations_of(const Call& call) {
  for (int i = 0; i < 3; ++i) call();
  const std::size_t before = test::allocations();
  for (int i = 0; i < 10; ++i) call();
  return test::allocations() - before;
}

/// Buffers of p parts of n elements, and the layout that says so.
struct Buffers {
  Buffers(int p, std::size_t n)
      : part(n, 1),
        all(n * static_cast<std::size_t>(p), 2),
        other(all),
        counts(static_cast<std::size_t>(p), static_cast<int>(n)),
        displacements(counts.size()) {
    packed_displacements(counts, displacements);
  }
  [[nodiscard]] Layout layout() const { return {counts, displacements}; }
  [[nodiscard]] std::span<const std::int64_t> in() const { return part; }
  [[nodiscard]] std::span<const std::int64_t> all_in() const { return all; }
  [[nodiscard]] std::span<std::int64_t> out() { return part; }
  [[nodiscard]] std::span<std::int64_t> all_out() { return other; }

  std::vector<std::int64_t> part;
  std::vector<std::int64_t> all;
  std::vector<std::int64_t> other;
  std::vector<int> counts;
  std::vector<int> displacements;
};

/// Eager, at the edge, and by rendezvous.
constexpr std::size_t sizes[] = {0, 1, 128, 65536};

}  // namespace

TEST_CASE("the counter counts") {
  CHECK(allocations_of([] { std::vector<double> v(7, 1.0); }) == 10);
  CHECK(allocations_of([] {
          struct alignas(128) Wide {
            char bytes[128];
          };
          delete new Wide;
        }) == 10);
}

TEST_CASE("blocking collectives allocate nothing") {
  const auto& comm = test::world();
  CHECK(allocations_of([&] { barrier(comm); }) == 0);
  CHECK(allocations_of([&] { (void)bcast(comm, 3.0); }) == 0);
  CHECK(allocations_of([&] { (void)all_reduce(comm, 3.0); }) == 0);
  for (const auto n : sizes) {
    CAPTURE(n);
    Buffers b(comm.size(), n);
    CHECK(allocations_of([&] { bcast(comm, b.out()); }) == 0);
    CHECK(allocations_of([&] { reduce(comm, b.in(), b.all_out().first(n)); }) == 0);
    CHECK(allocations_of([&] { all_reduce(comm, b.out(), Maximum{}); }) == 0);
    CHECK(allocations_of([&] { scan(comm, b.out(), Maximum{}); }) == 0);
    CHECK(allocations_of([&] { exscan(comm, b.out(), Maximum{}); }) == 0);
    CHECK(allocations_of([&] { gather(comm, b.in(), b.all_out()); }) == 0);
    CHECK(allocations_of([&] { all_gather(comm, b.in(), b.all_out()); }) == 0);
    CHECK(allocations_of([&] { scatter(comm, b.all_in(), b.out()); }) == 0);
    CHECK(allocations_of([&] { all_to_all(comm, b.all_in(), b.all_out()); }) == 0);
  }
}

TEST_CASE("collectives with parts of different sizes allocate nothing") {
  const auto& comm = test::world();
  for (const auto n : sizes) {
    CAPTURE(n);
    Buffers b(comm.size(), n);
    CHECK(allocations_of([&] { packed_displacements(b.counts, b.displacements); }) == 0);
    CHECK(allocations_of([&] { gather_v(comm, b.in(), b.all_out(), b.layout()); }) == 0);
    CHECK(allocations_of([&] { all_gather_v(comm, b.in(), b.all_out(), b.layout()); }) == 0);
    CHECK(allocations_of([&] { scatter_v(comm, b.all_in(), b.layout(), b.out()); }) == 0);
    CHECK(allocations_of(
              [&] { all_to_all_v(comm, b.all_in(), b.layout(), b.all_out(), b.layout()); }) == 0);
  }
}

TEST_CASE("reductions that deal out, and operations of the caller's, allocate nothing") {
  const auto& comm = test::world();
  const auto larger = commutative([](std::int64_t a, std::int64_t b) { return a > b ? a : b; });
  for (const auto n : sizes) {
    CAPTURE(n);
    Buffers b(comm.size(), n);
    const std::vector<std::size_t> wide(b.counts.begin(), b.counts.end());
    CHECK(allocations_of([&] { reduce_scatter_block(comm, b.all_in(), b.out()); }) == 0);
    CHECK(allocations_of([&] {
            reduce_scatter(comm, b.all_in(), b.out(), std::span<const int>(b.counts));
          }) == 0);
    CHECK(allocations_of([&] {
            reduce_scatter(comm, b.all_in(), b.out(), std::span<const std::size_t>(wide));
          }) == 0);
    CHECK(allocations_of([&] { all_reduce(comm, b.out(), larger); }) == 0);
    CHECK(allocations_of([&] { reduce(comm, b.in(), b.all_out().first(n), 0, larger); }) == 0);
  }
}

TEST_CASE("collectives between neighbours allocate nothing") {
  const auto& comm = test::world();
  const int next = (comm.rank() + 1) % comm.size();
  const int previous = (comm.rank() + comm.size() - 1) % comm.size();
  const NeighbourGraph ring(comm, std::array{previous}, std::array{next});
  for (const auto n : sizes) {
    CAPTURE(n);
    Buffers b(1, n);
    const auto& way = ring.comm();
    CHECK(allocations_of([&] { neighbor_all_gather(way, b.in(), b.all_out()); }) == 0);
    CHECK(allocations_of([&] { neighbor_all_to_all(way, b.in(), b.all_out()); }) == 0);
    CHECK(allocations_of([&] { neighbor_all_gather_v(way, b.in(), b.all_out(), b.layout()); }) ==
          0);
    CHECK(allocations_of([&] {
            neighbor_all_to_all_v(way, b.in(), b.layout(), b.all_out(), b.layout());
          }) == 0);
  }
}

TEST_CASE("strided elements allocate nothing, through MPI and through the node's engine") {
  auto comm = test::world().duplicate("test.strided");
  for (const bool through_engine : {false, true}) {
    if (through_engine) comm.use_node_engine({.mode = NodeEngineMode::on});
    for (const auto n : sizes) {
      CAPTURE(n);
      Buffers b(comm.size(), n);
      const auto column = strided(b.out(), 3);
      std::vector<std::int64_t> all(column.count() * static_cast<std::size_t>(comm.size()));
      CHECK(allocations_of([&] { bcast(comm, column); }) == 0);
      CHECK(allocations_of([&] { all_gather(comm, column, all); }) == 0);
    }
  }
}

TEST_CASE("plans that are started, and futures of lent buffers, allocate nothing") {
  const auto& comm = test::world();
  for (const auto n : sizes) {
    CAPTURE(n);
    Buffers b(comm.size(), n);
    auto sum = all_reduce(plan(comm), b.out(), Maximum{});
    auto all = all_gather(plan(comm), b.in(), b.all_out());
    CHECK(allocations_of([&] {
            sum.start();
            sum.wait();
          }) == 0);
    CHECK(allocations_of([&] {
            all.start();
            all.wait();
          }) == 0);
    CHECK(allocations_of([&] { bcast(async(comm), b.out()).wait(); }) == 0);
    CHECK(allocations_of([&] { all_reduce(async(comm), b.out(), Maximum{}).wait(); }) == 0);
  }
}

TEST_CASE("point-to-point messages allocate nothing") {
  const auto& comm = test::world();
  const int next = (comm.rank() + 1) % comm.size();
  const int previous = (comm.rank() + comm.size() - 1) % comm.size();
  for (const auto n : sizes) {
    CAPTURE(n);
    Buffers b(comm.size(), n);
    CHECK(allocations_of(
              [&] { send_receive(comm, b.in(), next, b.all_out().first(n), previous); }) == 0);
    CHECK(allocations_of([&] {
            if (comm.size() == 1) return;
            if (comm.rank() == 0) send(comm, b.in(), 1);
            if (comm.rank() == 1) receive(comm, b.out(), 0);
          }) == 0);
  }
}

TEST_CASE("halo exchange allocates nothing") {
  for (const auto boundary : {CartesianGrid::Boundary::open, CartesianGrid::Boundary::periodic}) {
    const CartesianGrid grid(test::world(), 2, boundary);
    const std::array<std::size_t, 2> extent{66, 130};
    std::vector<double> field(extent[0] * extent[1], 1.0);
    HaloExchange halo(grid, extent, 1, MPI_DOUBLE);
    CHECK(allocations_of([&] { halo.exchange(field.data()); }) == 0);
  }
}

TEST_CASE("exact sums allocate nothing") {
  const auto& comm = test::world();
  for (const auto n : sizes) {
    CAPTURE(n);
    const std::vector<double> terms(n, 0.1);
    ExactSum sum;
    CHECK(allocations_of([&] { sum.add(terms); }) == 0);
    CHECK(allocations_of([&] { sum.merge(sum); }) == 0);
    CHECK(allocations_of([&] { (void)all_reduce(comm, sum).round(); }) == 0);
    CHECK(allocations_of([&] { (void)exact_sum(comm, terms); }) == 0);
    CHECK(allocations_of([&] { (void)exact_dot(comm, terms, terms); }) == 0);
    CHECK(allocations_of([&] { (void)exact_dot(comm, terms, terms, {.threads = 2}); }) == 0);
    CHECK(allocations_of([&] { (void)exact_norm(comm, terms); }) == 0);
    const auto elements = std::span(terms).first(std::min<std::size_t>(n, 4096));
    std::vector<double> sums(elements.size());
    CHECK(allocations_of([&] { exact_sums(comm, elements, sums); }) == 0);
  }
}

TEST_CASE("agreement without an error allocates nothing") {
  const auto& comm = test::world();
  CHECK(allocations_of([&] { (void)agree(comm, true); }) == 0);
  CHECK(allocations_of([&] { together(comm, [] {}); }) == 0);
  CHECK(allocations_of([&] { (void)agreed_stop_signal(comm); }) == 0);
}

TEST_CASE("the node engine allocates nothing, on one node and on several") {
  const auto& comm = test::world();
  for (const int ranks_per_node : {0, 2}) {
    NodeEngine engine(comm, {.mode = NodeEngineMode::on, .ranks_per_node = ranks_per_node});
    CHECK(allocations_of([&] { (void)engine.barrier(); }) == 0);
    for (const auto n : sizes) {
      CAPTURE(n);
      Buffers b(comm.size(), n);
      const std::size_t bytes = n * sizeof(std::int64_t);
      WindowVector<std::int64_t> window(engine, n);
      CHECK(allocations_of([&] { (void)engine.bcast(b.part.data(), bytes, 0); }) == 0);
      CHECK(allocations_of(
                [&] { (void)engine.all_reduce(b.part.data(), n, MPI_INT64_T, MPI_BXOR); }) == 0);
      CHECK(allocations_of([&] {
              (void)engine.reduce(b.part.data(), b.other.data(), n, MPI_INT64_T, MPI_MAX,
                                  comm.size() - 1);
            }) == 0);
      CHECK(allocations_of(
                [&] { (void)engine.all_gather(b.part.data(), b.other.data(), bytes); }) == 0);
      CHECK(allocations_of([&] { all_reduce(engine, window, MPI_BXOR); }) == 0);
    }
  }
}
