// How a node's ranks write into shared memory: when that is looked at again, and that no choice in
// the middle of a job changes what arrives.

#include "store_choice.hpp"

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "cairn/collectives/collective.hpp"
#include "mpi_test.hpp"
#include "node_engine_cases.hpp"
#include "patience.hpp"

using namespace cairn;
using namespace test;
using detail::NodeGroup;
using detail::StoreChoice;
using detail::StoreWatch;
using Stores = NodeGroup::Stores;

namespace {

constexpr std::size_t MiB = std::size_t{1} << 20;
constexpr double near = 50e-9;
constexpr double far = 240e-9;
constexpr double slice = 1e-3;  // of a scheduler

/// Bytes until the next look, in calls of 1 MiB.
std::size_t bytes_to_look(StoreWatch& watch) {
  std::size_t bytes = MiB;
  for (; !watch.is_due(MiB); bytes += MiB) REQUIRE(bytes <= 2 * StoreWatch::most_interval);
  return bytes;
}

std::byte* bytes_of(Doubles& values) { return reinterpret_cast<std::byte*>(values.data()); }

/// A group whose ranks wait as those of an engine do where each has a core, or where they have not.
auto group_of(const Communicator& comm, unsigned polls) {
  return NodeGroup::make(comm, detail::Patience(comm.native(), polls));
}

}  // namespace

TEST_CASE("a look is due after so many bytes, and never before the first choice") {
  StoreWatch watch;
  for (int i = 0; i < 5000; ++i) REQUIRE(!watch.is_due(MiB));
  watch.chosen(Stores::cached, near);
  CHECK(bytes_to_look(watch) == StoreWatch::least_interval);
  CHECK(bytes_to_look(watch) == StoreWatch::least_interval);
  CHECK(!watch.is_due(MiB));
  CHECK(watch.is_due(std::size_t(-1)));  // a call of any size
  CHECK(!watch.is_due(0));
}

TEST_CASE("ranks have moved where a hop takes much longer, or shorter, than at the choice") {
  StoreWatch watch;
  watch.chosen(Stores::cached, near);
  CHECK(watch.has_moved(far));
  for (const double same : {near, 0.7 * near, 1.5 * near}) CHECK(!watch.has_moved(same));
  watch.chosen(Stores::streaming, far);
  CHECK(watch.has_moved(near));
  for (const double same : {far, 0.7 * far, 1.5 * far}) CHECK(!watch.has_moved(same));
}

TEST_CASE("what takes as long as a time slice is no distance") {
  StoreWatch watch;
  watch.chosen(Stores::cached, near);
  CHECK(!watch.has_moved(slice));
  CHECK(bytes_to_look(watch) == 2 * StoreWatch::least_interval);
  for (int i = 0; i < 9; ++i) CHECK(!watch.has_moved(slice));
  CHECK(bytes_to_look(watch) == StoreWatch::most_interval);
  // Nor is it what later looks are compared with.
  watch.chosen(Stores::cached, slice);
  CHECK(!watch.has_moved(slice));
  CHECK(watch.has_moved(near));
  CHECK(watch.has_moved(far));
}

TEST_CASE("choices that confirm the last one become rare, and those that do not frequent again") {
  StoreWatch watch;
  watch.chosen(Stores::cached, near);
  for (std::size_t wanted = 2 * StoreWatch::least_interval; wanted < StoreWatch::most_interval;
       wanted *= 2) {
    watch.chosen(Stores::cached, far);
    CHECK(bytes_to_look(watch) == wanted);
  }
  for (int i = 0; i < 9; ++i) watch.chosen(Stores::cached, near);
  CHECK(bytes_to_look(watch) == StoreWatch::most_interval);
  auto stores = Stores::cached;
  for (std::size_t wanted = StoreWatch::most_interval; wanted > StoreWatch::least_interval;) {
    stores = stores == Stores::cached ? Stores::streaming : Stores::cached;
    watch.chosen(stores, far);
    wanted /= 2;
    CHECK(bytes_to_look(watch) == wanted);
  }
  watch.chosen(stores == Stores::cached ? Stores::streaming : Stores::cached, far);
  CHECK(bytes_to_look(watch) == StoreWatch::least_interval);
}

TEST_CASE("a look that finds the ranks elsewhere chooses anew, by what rank 0 sees, on all ranks") {
  const auto& comm = world();
  auto group = group_of(comm, 1000);
  REQUIRE(group.has_value());
  double hop_of_root = near;
  StoreChoice choice(*group, [&] { return comm.is_root() ? hop_of_root : slice; });
  choice.choose();
  CHECK(choice.choices() == 1);
  const auto look = [&](double hop) {
    hop_of_root = hop;
    for (std::size_t bytes = 0; bytes < StoreWatch::most_interval; bytes += MiB) {
      const auto looks = choice.looks();
      choice.keep_right(MiB);
      if (choice.looks() != looks) return true;
    }
    return false;
  };
  if (comm.size() == 1) {  // nobody to be far from
    CHECK(!look(far));
    return;
  }
  CHECK(look(near));
  CHECK(look(slice));
  CHECK(choice.choices() == 1);
  CHECK(look(far));
  CHECK(choice.choices() == 2);
  CHECK(look(far));
  CHECK(choice.choices() == 2);
  CHECK(all_reduce(comm, static_cast<int>(choice.stores()), Maximum{}) ==
        static_cast<int>(choice.stores()));
}

TEST_CASE("where ranks outnumber cores nobody looks") {
  auto group = group_of(world(), 0);
  REQUIRE(group.has_value());
  StoreChoice choice(*group);
  choice.choose();
  for (int i = 0; i < 100; ++i) choice.keep_right(MiB);
  CHECK(choice.looks() == 0);
}

TEST_CASE("messages arrive whole while the way of writing is chosen again and again") {
  const auto& comm = world();
  const auto sum = detail::reduction_of(MPI_DOUBLE, MPI_SUM);
  for (const unsigned polls : {0U, 1000U}) {
    auto group = group_of(comm, polls);
    REQUIRE(group.has_value());
    StoreChoice choice(*group);
    bool good = true;
    for (std::uint64_t call = 0; call < 40; ++call) {
      const std::size_t n = sizes[call % std::size(sizes)];
      const int root = static_cast<int>(call) % comm.size();
      if (call % 5 == 0) choice.choose();
      choice.keep_right(n * sizeof(double));
      auto spread = comm.is_root(root) ? values(root, n, call) : Doubles(n, -1.0);
      group->bcast(bytes_of(spread), n * sizeof(double), root);
      good = good && spread == values(root, n, call);
      auto sums = values(comm.rank(), n, call);
      group->all_reduce(bytes_of(sums), bytes_of(sums), n, sum);
      good = good && sums == reduced(comm.size(), n, call);
    }
    CHECK(good);
    // The same on all ranks.
    const int stores = static_cast<int>(choice.stores());
    CHECK(all_reduce(comm, stores, Maximum{}) == stores);
  }
}

TEST_CASE("each operation of an engine counts for the next look") {
  const auto& comm = world();
  auto engine = engine_on(comm, 0);
  if (!expected(engine) || engine.report().oversubscribed) return;
  constexpr std::size_t n = MiB / sizeof(double);
  Doubles in(n, 1.0);
  Doubles out(n);
  Doubles all(n * static_cast<std::size_t>(comm.size()));
  const std::function<bool()> operations[] = {
      [&] { return engine.bcast(in.data(), MiB, 0); },
      [&] { return engine.reduce(in.data(), out.data(), n, MPI_DOUBLE, MPI_MAX, 0); },
      [&] { return engine.all_reduce(in.data(), n, MPI_DOUBLE, MPI_MAX); },
      [&] { return engine.all_gather(in.data(), all.data(), MiB); }};
  for (const auto& operation : operations) {
    const auto looks = engine.report().looks;
    // Looks in vain, on a machine that is busy, make them rarer.
    for (std::size_t bytes = 0; bytes < StoreWatch::most_interval; bytes += MiB) {
      REQUIRE(operation());
      if (engine.report().looks != looks) break;
    }
    CHECK(engine.report().looks == looks + 1);
  }
}
