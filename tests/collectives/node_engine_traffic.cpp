// Node engines among other things that go on: barriers, MPI's messages, each other, windows, and
// the end of MPI.

#include <mpi.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/node_engine.hpp"
#include "cairn/core/random.hpp"
#include "mpi_test.hpp"
#include "node_engine_cases.hpp"

using namespace cairn;
using namespace test;

TEST_CASE("no rank leaves a barrier before the last has come") {
  const auto& comm = test::world();
  // A number on rank 0 that all ranks of this machine see.
  std::uint64_t* arrived = nullptr;
  MPI_Win shared = MPI_WIN_NULL;
  MPI_Win_allocate_shared(comm.is_root() ? sizeof(std::uint64_t) : 0, 8, MPI_INFO_NULL,
                          comm.native(), static_cast<void*>(&arrived), &shared);
  MPI_Aint bytes = 0;
  int unit = 0;
  MPI_Win_shared_query(shared, 0, &bytes, &unit, static_cast<void*>(&arrived));
  const std::atomic_ref<std::uint64_t> last(*arrived);
  if (comm.is_root()) last.store(0);
  barrier(comm);
  std::uint64_t call = 0;
  for (const int ranks_per_node : layouts) {
    auto engine = engine_on(comm, ranks_per_node);
    if (!expected(engine)) continue;
    for (int round = 0; round < 40; ++round) {
      ++call;
      // Each in turn comes late.
      if (comm.is_root(round % comm.size())) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        last.store(call, std::memory_order_relaxed);
      }
      CHECK(engine.barrier());
      CHECK(last.load(std::memory_order_relaxed) == call);
      CHECK(engine.barrier());
    }
  }
  MPI_Win_free(&shared);
}

TEST_CASE("a root that is far ahead writes over nothing that others have not read") {
  const auto& comm = test::world();
  // In bytes: short ones and long ones, which take turns in slots of two kinds.
  constexpr std::size_t lengths[] = {1024, 8192, 8200, 16, 40000, 1024};
  for (const int ranks_per_node : layouts) {
    auto engine = engine_on(comm, ranks_per_node);
    if (!expected(engine)) continue;
    bool good = true;
    for (std::uint64_t call = 0; call < 600; ++call) {
      // All of them short for a while, or short and long ones in turn.
      const auto n = (call % 100 < 50 ? lengths[0] : lengths[call % std::size(lengths)]) / 8;
      auto data = comm.is_root() ? values(0, n, call) : Doubles(n, -1.0);
      if (!comm.is_root() && call % 97 == 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      good = engine.bcast(data.data(), n * sizeof(double), 0) && good;
      good = good && data == values(0, n, call);
    }
    CHECK(good);
  }
}

TEST_CASE("a rank that waits in the engine lets MPI finish its pending sends") {
  const auto& comm = test::world();
  auto engine = engine_on(comm, 0);
  if (!expected(engine)) return;
  // Rank 0 sends by rendezvous and comes to the engine at once; the others come only when they have
  // received, which needs MPI's progress on rank 0.
  const Doubles message(300000, 2.0);
  const int count = static_cast<int>(message.size());
  for (int round = 0; round < 3; ++round) {
    std::vector<MPI_Request> requests;
    if (comm.is_root()) {
      for (int r = 1; r < comm.size(); ++r)
        MPI_Isend(message.data(), count, MPI_DOUBLE, r, 5, comm.native(), &requests.emplace_back());
    } else {
      Doubles in(message.size());
      MPI_Recv(in.data(), count, MPI_DOUBLE, 0, 5, comm.native(), MPI_STATUS_IGNORE);
      CHECK(in == message);
    }
    double one = 1.0;
    if (round == 0) CHECK(engine.barrier());
    if (round == 1) CHECK(engine.all_reduce(&one, 1, MPI_DOUBLE, MPI_SUM));
    // A root of a bcast does not wait; a reader does.
    if (round == 2) CHECK(engine.bcast(&one, sizeof one, comm.size() - 1));
    MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE);
  }
}

TEST_CASE("engine and MPI traffic take turns on the same ranks") {
  const auto& comm = test::world();
  auto engine = engine_on(comm, 2);
  const int next = (comm.rank() + 1) % comm.size();
  const int previous = (comm.rank() + comm.size() - 1) % comm.size();
  for (std::uint64_t call = 0; call < 40; ++call) {
    const std::size_t n = 1 + 997 * static_cast<std::size_t>(call);
    Doubles sum = values(comm.rank(), n, call);
    int token = comm.rank();
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Isend(&token, 1, MPI_INT, next, 9, comm.native(), &request);
    if (engine.all_reduce(sum.data(), n, MPI_DOUBLE, MPI_SUM))
      CHECK(sum == reduced(comm.size(), n, call));
    int got = -1;
    MPI_Recv(&got, 1, MPI_INT, previous, 9, comm.native(), MPI_STATUS_IGNORE);
    CHECK(got == previous);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    CHECK(all_reduce(comm, 1) == comm.size());
  }
}

TEST_CASE("several engines live at once, on parts of the ranks too, and are moved") {
  const auto& comm = test::world();
  const auto half = comm.split(comm.rank() % 2);
  std::vector<NodeEngine> engines;
  engines.push_back(engine_on(comm, 0));
  engines.push_back(engine_on(half, 0));
  engines.push_back(engine_on(half, 2));
  engines.push_back(engine_on(comm, 3));
  for (int call = 0; call < 20; ++call) {
    for (auto& engine : engines) {
      std::vector<std::int64_t> ones(5000, 1);
      const bool taken = engine.all_reduce(ones.data(), ones.size(), MPI_INT64_T, MPI_SUM);
      CHECK(taken == expected(engine));
      if (taken) CHECK(ones == std::vector<std::int64_t>(5000, engine.report().ranks));
    }
  }
  // In another order than they were made.
  engines.erase(engines.begin());
  std::swap(engines.front(), engines.back());
  if (expected(engines.front())) CHECK(engines.front().barrier());
}

TEST_CASE("window vectors are reduced in place") {
  const auto& comm = test::world();
  for (const int ranks_per_node : layouts) {
    CAPTURE(ranks_per_node);
    auto engine = engine_on(comm, ranks_per_node);
    for (const auto n : sizes) {
      CAPTURE(n);
      WindowVector<double> x(engine, n);
      WindowVector<double> untouched(engine, n);
      CHECK(std::count(x.begin(), x.end(), 0.0) == static_cast<std::ptrdiff_t>(n));
      for (std::uint64_t call = 0; call < 3; ++call) {
        const auto mine = values(comm.rank(), n, call);
        std::copy(mine.begin(), mine.end(), x.begin());
        all_reduce(engine, x, MPI_SUM);
        CHECK(Doubles(x.begin(), x.end()) == reduced(comm.size(), n, call));
      }
      CHECK(std::count(untouched.begin(), untouched.end(), 0.0) == static_cast<std::ptrdiff_t>(n));
    }
    // By MPI, since the engine does not know it.
    WindowVector<double> x(engine, 4);
    CHECK_THROWS_AS(engine.all_reduce(x.window(), 5, MPI_DOUBLE, MPI_SUM), Error);
    auto other = engine_on(comm, ranks_per_node);
    CHECK_THROWS_AS(other.all_reduce(x.window(), 4, MPI_DOUBLE, MPI_SUM), Error);
  }
}

TEST_CASE("shared memory has no name that could stay behind") {
  const auto names = [] {
    std::vector<std::string> list;
    for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
      const auto name = entry.path().filename().string();
      // Folders are those of other tests.
      if (entry.is_regular_file() && name.find("cairn") != std::string::npos) list.push_back(name);
    }
    return list;
  };
  const auto engine = engine_on(test::world(), 0);
  CHECK(names().empty());
}

namespace {

/// Destroyed after main's Runtime has called MPI_Finalize, as static objects are; valgrind.supp
/// knows this name.
template <int ranks_per_node>
[[gnu::noinline]] NodeEngine& engine_that_outlives_mpi() {
  static std::optional<NodeEngine> engine;
  engine.emplace(engine_on(test::world(), ranks_per_node));
  return *engine;
}

}  // namespace

TEST_CASE("engines and windows may outlive MPI") {
  auto& engine = engine_that_outlives_mpi<2>();
  static std::optional<WindowVector<double>> window;
  window.emplace(engine, 1000);
  (void)engine_that_outlives_mpi<0>();
  std::fill(window->begin(), window->end(), 1.0);
  all_reduce(engine, *window, MPI_SUM);
  CHECK((*window)[999] == test::world().size());
}
