#include "cairn/consensus/simulation.hpp"

#include <doctest/doctest.h>

#include "echo.hpp"

using namespace cairn::consensus;

static_assert(Machine<echo::Machine>);

TEST_CASE("a trivial machine finishes under every weather, and one seed is one story") {
  echo::Judge judge(5);
  Simulation<echo::Machine, echo::Judge> simulation(judge);
  Tally tally;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const auto result = simulation.run(seed);
    CHECK_MESSAGE(result.violation.empty(), seed << ": " << result.violation);
    tally += result.tally;
  }
  CHECK(tally.crashes > 0);
  CHECK(tally.lost_writes > 0);
  CHECK(tally.partitions > 0);

  Sequence first;
  Sequence second;
  const auto told = simulation.run(42, &first);
  simulation.run(43);
  simulation.run(42, &second);
  CHECK(told.tally == simulation.run(42).tally);
  CHECK(first.text() == second.text());
  CHECK(first.text().size() > 1000);
  CHECK(first.svg(5, "echo") == second.svg(5, "echo"));
}
