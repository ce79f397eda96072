// The same picture under every schedule, on any number of ranks and threads.
#include "render.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <thread>
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

/// How often each task was done, on any rank.
std::vector<int> done_by(Distributor& distributor, std::size_t tasks) {
  const int threads = distributor.threads();
  std::vector<int> done(tasks);
  const std::vector<double> weights(distributor.policy() == Policy::weighted ? tasks : 0, 1.0);
  std::atomic<bool> is_thread_wrong{false};
  distributor.run(tasks, weights, [&](std::size_t task, int thread) {
    ++done[task];
    if (thread < 0 || thread >= threads) is_thread_wrong = true;
  });
  CHECK_FALSE(is_thread_wrong);
  all_reduce(world(), std::span<int>(done));
  return done;
}

}  // namespace

TEST_CASE("every schedule does each task once") {
  for (const Policy policy : policies)
    for (const int threads : {1, 2, 3}) {
      Distributor distributor(world(), threads, policy);
      for (const std::size_t tasks : {0, 1, 2, 5, 5, 1000, 1000}) {
        CAPTURE(threads);
        CAPTURE(tasks);
        CHECK(done_by(distributor, tasks) == std::vector<int>(tasks, 1));
      }
    }
}

TEST_CASE("repartition learns which tasks are long") {
  Distributor distributor(world(), 2, Policy::repartition);
  constexpr std::size_t tasks = 60;
  const auto workers = static_cast<std::size_t>(2 * world().size());
  std::vector<std::size_t> sharing;  // workers that have long tasks
  for (int run = 0; run < 2; ++run) {
    std::vector<int> long_ones(workers);
    distributor.run(tasks, {}, [&](std::size_t task, int thread) {
      if (task >= 16) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      ++long_ones[static_cast<std::size_t>(2 * world().rank() + thread)];
    });
    all_reduce(world(), std::span<int>(long_ones));
    sharing.push_back(workers - static_cast<std::size_t>(std::ranges::count(long_ones, 0)));
  }
  const std::size_t of_block = (tasks + workers - 1) / workers;
  CHECK(sharing[0] == (16 + of_block - 1) / of_block);
  CHECK(sharing[1] > sharing[0]);
  CHECK(sharing[1] >= workers / 2);  // all, if sleeps were alike
}

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
