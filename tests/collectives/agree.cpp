#include "cairn/collectives/agree.hpp"

#include <string>

#include "cairn/core/error.hpp"
#include "mpi_test.hpp"

using namespace cairn;

TEST_CASE("agree is the conjunction over the ranks") {
  const auto& comm = test::world();
  CHECK(agree(comm, true));
  for (int dissenter = 0; dissenter < comm.size(); ++dissenter)
    CHECK(!agree(comm, comm.rank() != dissenter));
}

TEST_CASE("together throws one and the same agreed error on every rank") {
  const auto& comm = test::world();
  const int last = comm.size() - 1;
  try {
    together(comm, [&] {
      if (comm.rank() == last) throw Error(Errc::permission, "open /data: Permission denied");
    });
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.agreed());
    CHECK(error.code() == Errc::permission);
    const std::string who = comm.size() == 1 ? "" : "rank " + std::to_string(last) + ": ";
    CHECK(error.what() == who + "open /data: Permission denied");
  }
}

TEST_CASE("of several errors the lowest rank's is told; foreign exceptions are internal") {
  const auto& comm = test::world();
  try {
    together(comm,
             [&]() -> int { throw std::runtime_error("boom " + std::to_string(comm.rank())); });
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == Errc::internal);
    CHECK(std::string(error.what()).find("boom 0") != std::string::npos);
  }
}

TEST_CASE("what one rank throws is an agreed error, also when it is no exception of std") {
  const auto& comm = test::world();
  try {
    together(comm, [&] {
      if (comm.rank() == comm.size() - 1) throw 5;
    });
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.agreed());
    CHECK(error.code() == Errc::internal);
    CHECK(std::string(error.what()).find("an exception of an unknown kind") != std::string::npos);
  }
}

TEST_CASE(
    "together returns the local result, and an agreed error keeps its text when agreed again") {
  const auto& comm = test::world();
  CHECK(together(comm, [&] { return comm.rank() * 10; }) == comm.rank() * 10);
  std::string text;
  try {
    together(comm, [&] {
      Error error(Errc::bad_data, "rank 5: damaged");
      error.mark_agreed();
      throw error;
    });
  } catch (const Error& error) {
    text = error.what();
  }
  CHECK(text == "rank 5: damaged");
}

TEST_CASE("an agreed error knows by how many ranks, also when a larger communicator agrees again") {
  const auto& comm = test::world();
  const auto half = comm.split(comm.rank() % 2);
  const auto check_agreement = [](const Communicator& by, auto&& work) {
    try {
      work();
      CHECK(false);
    } catch (const Error& error) {
      CHECK(error.agreed_ranks() == by.size());
      CHECK(error.agreed_rank() == by.rank());
    }
  };
  const auto fail = [] { throw Error(Errc::bad_data, "damaged"); };
  check_agreement(half, [&] { together(half, fail); });
  check_agreement(half, [&] { throw_agreed(half, Errc::usage, "no"); });
  check_agreement(comm, [&] { together(comm, [&] { together(half, fail); }); });
  check_agreement(half, [&] { together(half, [&] { throw_agreed(comm, Errc::usage, "no"); }); });
  CHECK(Error(Errc::usage, "alone").agreed_ranks() == 0);
}
