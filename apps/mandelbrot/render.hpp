// The picture, computed by all ranks.
#pragma once

#include <cstdint>
#include <vector>

#include "cairn/loadbalance/distributor.hpp"
#include "paint.hpp"
#include "raster.hpp"

namespace cairn::mandelbrot {

/// Whether shades and owners come to rank 0.
enum class Keep { totals, pixels };

struct Rendering {
  Totals totals;
  double seconds = 0;  ///< by the clock on the wall, weighing included
  // Inside tasks, of all threads of a rank; shape [ranks].
  std::vector<double> busy_seconds;  ///< by the clock on the wall
  std::vector<double> cpu_seconds;   ///< of CPU: less, when the machine has other work too
  // On rank 0, for Keep::pixels; else empty.
  std::vector<std::uint32_t> shades;  ///< shape [height, width]
  std::vector<std::uint32_t> owners;  ///< rank · threads + thread that did it, shape [tiles]

  /// Of the rank that was busy longest, over the mean.
  [[nodiscard]] double imbalance() const;
  /// Another picture after this one, by the same ranks: both in the totals and times, the later one
  /// in the shades and owners.
  void add(Rendering later);
};

/// Computes all tiles, on the ranks of `distributor`. Collective, blocking; equal on all ranks but
/// for what rank 0 alone has.
/// @throws on all ranks: a stop signal's Error; bad_alloc on one alone
/// @par Memory  for Keep::pixels 4 bytes a pixel on each rank, twice that on rank 0
[[nodiscard]] Rendering render(loadbalance::Distributor& distributor, const Raster& raster,
                               Keep keep = Keep::totals);

}  // namespace cairn::mandelbrot
