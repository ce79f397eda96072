#include "render.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <numeric>
#include <span>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/program/cpu_time.hpp"
#include "cairn/program/program.hpp"

namespace cairn::mandelbrot {

namespace {

/// What one thread has done; apart, so that threads do not slow each other down.
struct alignas(128) Share {
  Totals totals;
  double busy_seconds = 0;
  double cpu_seconds = 0;
};

/// All ranks weigh a part of the tiles.
std::vector<double> weights_of(const Communicator& comm, const Raster& raster) {
  std::vector<double> weights(raster.tiles());
  const auto ranks = static_cast<std::size_t>(comm.size());
  for (auto tile = static_cast<std::size_t>(comm.rank()); tile < weights.size(); tile += ranks)
    weights[tile] = weight_of(raster, raster.tile(tile));
  all_reduce(comm, std::span<double>(weights));  // exact: all but one of the terms are 0
  return weights;
}

Totals merged(const Communicator& comm, const std::vector<Share>& shares) {
  Totals mine;
  for (const Share& share : shares) mine.merge(share.totals);
  std::array<std::uint64_t, 3> sums{mine.pixels, mine.iterations, mine.checksum};
  all_reduce(comm, std::span<std::uint64_t>(sums));
  return {sums[0], sums[1], sums[2]};
}

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<double> of_ranks(const Communicator& comm, const std::vector<Share>& shares,
                             double Share::*seconds) {
  double mine = 0;
  for (const Share& share : shares) mine += share.*seconds;
  std::vector<double> all;
  all_gather(comm, mine, into(all));
  return all;
}

}  // namespace

double Rendering::imbalance() const {
  const double mean = std::accumulate(busy_seconds.begin(), busy_seconds.end(), 0.0) /
                      static_cast<double>(busy_seconds.size());
  return mean > 0 ? *std::ranges::max_element(busy_seconds) / mean : 1;
}

void Rendering::add(Rendering later) {
  later.totals.merge(totals);
  later.seconds += seconds;
  for (std::size_t rank = 0; rank < busy_seconds.size(); ++rank) {
    later.busy_seconds[rank] += busy_seconds[rank];
    later.cpu_seconds[rank] += cpu_seconds[rank];
  }
  *this = std::move(later);
}

Rendering render(loadbalance::Distributor& distributor, const Raster& raster, Keep keep) {
  const Communicator& comm = distributor.comm();
  const int threads = distributor.threads();
  const bool keeps = keep == Keep::pixels;
  Rendering result;
  std::vector<std::uint32_t> shades(keeps ? raster.pixels() : 0);
  std::vector<std::uint32_t> owners(keeps ? raster.tiles() : 0);
  std::vector<Share> shares(static_cast<std::size_t>(threads));
  const auto first_worker = static_cast<std::uint32_t>(comm.rank() * threads);

  const auto work = [&](std::size_t tile, int thread) {
    program::throw_if_stopped();
    const auto start = Clock::now();
    const double cpu_start = program::thread_cpu_seconds();
    Share& share = shares[static_cast<std::size_t>(thread)];
    paint(raster, raster.tile(tile), share.totals, shades);
    if (keeps) owners[tile] = first_worker + static_cast<std::uint32_t>(thread);
    share.cpu_seconds += program::thread_cpu_seconds() - cpu_start;
    share.busy_seconds += seconds_since(start);
  };

  barrier(comm);
  const auto start = Clock::now();
  std::vector<double> weights;
  if (distributor.policy() == loadbalance::Policy::weighted) weights = weights_of(comm, raster);
  distributor.run(raster.tiles(), weights, work);
  // A rank that is told to stop may have had no tile since.
  together(comm, program::throw_if_stopped);
  result.totals = merged(comm, shares);  // waits for all
  // Ranks leave the barrier one after the other.
  result.seconds = all_reduce(comm, seconds_since(start), Maximum{});
  result.busy_seconds = of_ranks(comm, shares, &Share::busy_seconds);
  result.cpu_seconds = of_ranks(comm, shares, &Share::cpu_seconds);
  if (!keeps) return result;
  // What a rank has not computed is 0.
  if (comm.is_root()) {
    result.shades.resize(shades.size());
    result.owners.resize(owners.size());
  }
  reduce(comm, shades, result.shades);
  reduce(comm, owners, result.owners);
  return result;
}

}  // namespace cairn::mandelbrot
