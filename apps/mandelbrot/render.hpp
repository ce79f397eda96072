// The picture, computed by all ranks.
#pragma once

#include <cstdint>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "distribute.hpp"
#include "paint.hpp"
#include "raster.hpp"

namespace cairn::mandelbrot {

struct RenderOptions {
  Kind kind = Kind::stealing;
  int threads = 1;  ///< of each rank, equal everywhere
  /// Whether shades and owners come to rank 0.
  enum class Keep { totals, pixels } keep = Keep::totals;
};

struct Rendering {
  Totals totals;
  double seconds = 0;  ///< by the clock on the wall, weighing included
  // Inside tasks, of all threads of a rank; shape [ranks].
  std::vector<double> busy_seconds;  ///< by the clock on the wall
  std::vector<double> cpu_seconds;   ///< of CPU: less, when the machine has other work too
  // On rank 0, for Keep::pixels; else empty.
  std::vector<std::uint32_t> shades;  ///< shape [height, width]
  std::vector<std::uint32_t> owners;  ///< rank · threads + thread that did it, shape [tiles]
};

/// Computes all tiles. Collective, blocking; equal on all ranks but for what rank 0 alone has.
/// @throws on all ranks: a stop signal's Error; bad_alloc on one alone
/// @par Memory  for Keep::pixels 4 bytes a pixel on each rank, twice that on rank 0
[[nodiscard]] Rendering render(const Communicator& comm, const Raster& raster,
                               const RenderOptions& options);

}  // namespace cairn::mandelbrot
