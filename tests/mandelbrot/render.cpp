// The same picture under every schedule, on any number of ranks and threads.
#include "render.hpp"

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "../support/mpi_test.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/signals.hpp"
#include "cairn/core/error.hpp"
#include "twin.hpp"

using namespace cairn;
using namespace cairn::mandelbrot;
using cairn::loadbalance::Distributor;
using cairn::loadbalance::Policy;
using cairn::test::world;

namespace {

constexpr Policy policies[] = {Policy::block,    Policy::round_robin, Policy::random,
                               Policy::weighted, Policy::repartition, Policy::stealing};
const View view{{-0.813, 0.2035}, 34, 300};

Raster small() { return {46, 33, view, 5, 4}; }

}  // namespace

TEST_CASE("every schedule has the totals of std::complex") {
  const Totals expected = test::totals_of(46, 33, view);
  for (const Policy policy : policies)
    for (const int threads : {1, 2}) {
      CAPTURE(threads);
      Distributor distributor(world(), threads, policy);
      const Rendering drawn = render(distributor, small());
      CHECK(drawn.totals == expected);
      CHECK(drawn.busy_seconds.size() == static_cast<std::size_t>(world().size()));
      CHECK(drawn.cpu_seconds.size() == drawn.busy_seconds.size());
      for (const double seconds : drawn.busy_seconds) CHECK(seconds <= threads * drawn.seconds);
      CHECK(drawn.seconds > 0);
      CHECK(drawn.shades.empty());
    }
}

TEST_CASE("rank 0 has all shades, and the owners that a static schedule named") {
  const Raster raster = small();
  const auto workers = static_cast<std::uint32_t>(2 * world().size());
  for (const Policy policy : policies) {
    Distributor distributor(world(), 2, policy);
    const Rendering drawn = render(distributor, raster, Keep::pixels);
    if (!world().is_root()) continue;
    CHECK(drawn.shades.size() == raster.pixels());
    std::size_t wrong = 0;
    for (int row = 0; row < raster.height(); ++row)
      for (int column = 0; column < raster.width(); ++column) {
        const Point c = raster.point(column, row);
        wrong += drawn.shades[raster.index(column, row)] == shade_of(escape(c, view.iterations), c)
                     ? 0
                     : 1;
      }
    CHECK(wrong == 0);
    CHECK(drawn.owners.size() == raster.tiles());
    for (std::size_t tile = 0; tile < drawn.owners.size(); ++tile) {
      CHECK(drawn.owners[tile] < workers);
      if (policy == Policy::round_robin) CHECK(drawn.owners[tile] == tile % workers);
    }
  }
}

TEST_CASE("a stop signal, or another error of one rank, ends the work on all") {
  for (const Policy policy : policies) {
    if (world().rank() == world().size() - 1) request_stop(SIGTERM);
    std::optional<Error> error;
    try {
      Distributor distributor(world(), 2, policy);
      (void)render(distributor, small());
    } catch (const Error& thrown) {
      error = thrown;
    }
    request_stop(0);
    CHECK((error && error->code() == Errc::run_again));
    CHECK((error && error->agreed_ranks() == world().size()));
  }
}
