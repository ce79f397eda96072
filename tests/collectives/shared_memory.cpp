// Memory that ranks share is refused where there is less of it.

#include <cstddef>

#include "cairn/collectives/node_engine.hpp"
#include "cairn/core/error.hpp"
#include "mpi_test.hpp"

using namespace cairn;

TEST_CASE("a window larger than the memory of the machine is an error of all, and takes none") {
  NodeEngine engine(test::world(), {.mode = NodeEngineMode::on});
  if (!engine.report().available) return;
  constexpr std::size_t tebibyte = std::size_t{1} << 40U;
  for (const std::size_t bytes : {64 * tebibyte, 128 * tebibyte}) {
    try {
      const NodeWindow window(engine, bytes);
      FAIL_CHECK("a window of 64 TiB a rank");
    } catch (const Error& error) {
      CHECK(error.code() == Errc::unavailable);
      CHECK(error.agreed());
    }
  }
  const WindowVector<double> small(engine, 100);
  CHECK(small[99] == 0.0);
}
