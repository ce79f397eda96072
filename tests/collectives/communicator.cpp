#include "cairn/collectives/communicator.hpp"

#include <mpi.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/point_to_point.hpp"
#include "cairn/collectives/runtime.hpp"
#include "cairn/core/error.hpp"
#include "mpi_test.hpp"

using namespace cairn;

TEST_CASE("a communicator is a named duplicate of its own") {
  const Communicator comm(MPI_COMM_WORLD, "mine");
  int relation = 0;
  MPI_Comm_compare(comm.native(), MPI_COMM_WORLD, &relation);
  CHECK(relation == MPI_CONGRUENT);
  char name[MPI_MAX_OBJECT_NAME];
  int length = 0;
  MPI_Comm_get_name(comm.native(), name, &length);
  CHECK(std::string(name) == "mine");
  CHECK(comm.rank() == test::world().rank());
  CHECK(comm.size() == test::world().size());
}

TEST_CASE("moving hands the communicator on") {
  Communicator first = test::world().duplicate("first");
  Communicator second = std::move(first);
  barrier(second);
  second = test::world().duplicate("third");
  barrier(second);
  // NOLINTNEXTLINE: the state after a move is what is tested
  CHECK(first.native() == MPI_COMM_NULL);
}

TEST_CASE("split makes groups ordered by key") {
  const auto& comm = test::world();
  const auto half = comm.split(comm.rank() % 2, -comm.rank());
  CHECK(half.size() == (comm.size() + 1 - comm.rank() % 2) / 2);
  const int largest = bcast(half, comm.rank());
  CHECK(largest >= comm.rank());
  CHECK(largest % 2 == comm.rank() % 2);
}

TEST_CASE("an intercommunicator is refused") {
  const auto& comm = test::world();
  if (comm.size() == 1) return;
  const int side = comm.is_root() ? 0 : 1;
  const auto half = comm.split(side);
  MPI_Comm inter = MPI_COMM_NULL;
  check_mpi(MPI_Intercomm_create(half.native(), 0, comm.native(), 1 - side, 7, &inter),
            "MPI_Intercomm_create");
  CHECK_THROWS_WITH_AS(Communicator(inter, "inter"), doctest::Contains("an intracommunicator"),
                       Error);
  MPI_Comm_free(&inter);
}

TEST_CASE("errors of MPI are thrown, not fatal") {
  const auto& comm = test::world();
  int value = 0;
  CHECK_THROWS_AS(check_mpi(MPI_Send(&value, 1, MPI_INT, 9999, 0, comm.native()), "MPI_Send"),
                  Error);
  try {
    check_mpi(MPI_ERR_RANK, "MPI_Send");
  } catch (const Error& error) {
    CHECK(error.code() == Errc::mpi_failure);
    CHECK(std::string(error.what()).starts_with("MPI_Send: MPI_ERR_RANK"));
  }
  // A message longer than the buffer.
  const std::array<int, 4> out{1, 2, 3, 4};
  std::array<int, 2> in{};
  CHECK_THROWS_AS(
      send_receive(comm, std::span<const int>(out), comm.rank(), std::span<int>(in), comm.rank()),
      Error);
}

TEST_CASE("wrong ranks and sizes are precondition errors of the caller") {
  const auto& comm = test::world();
  std::array<int, 3> data{};
  CHECK_THROWS_AS(bcast(comm, std::span<int>(data), comm.size()), Error);
  CHECK_THROWS_AS(bcast(comm, std::span<int>(data), -1), Error);
  CHECK_THROWS_AS(send(comm, std::span<const int>(data), -1), Error);
  std::vector<int> wrong(3 * static_cast<std::size_t>(comm.size()) + 1);
  CHECK_THROWS_AS(all_gather(comm, std::span<const int>(data), std::span<int>(wrong)), Error);
  CHECK_THROWS_AS((void)detail::mpi_count(std::size_t{1} << 31), Error);
}

TEST_CASE("a runtime beside a host that owns MPI leaves MPI alone") {
  {
    const Runtime guest;
    CHECK(!guest.owns_mpi());
    CHECK(guest.world().size() == test::world().size());
    CHECK(guest.thread_level() >= MPI_THREAD_FUNNELED);
  }
  int finalized = 1;
  MPI_Finalized(&finalized);
  CHECK(finalized == 0);
}
