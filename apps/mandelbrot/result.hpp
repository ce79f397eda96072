// What cairn-mandelbrot tells about its run: lines on stdout, and JSON.
#pragma once

#include <string>
#include <vector>

#include "raster.hpp"
#include "render.hpp"

namespace cairn::mandelbrot {

/// One run.
struct Result {
  std::string schedule;
  int columns = 0;  ///< of a tile
  int rows = 0;
  int ranks = 1;
  int threads = 1;
  Rendering rendering;                  ///< of all frames
  std::vector<double> frame_seconds;    ///< of each
  std::vector<double> frame_imbalance;  ///< the same

  /// How long the tasks take if nobody ever waits: their time over all threads of all ranks.
  [[nodiscard]] double ideal_seconds() const;
  /// The part of the time that the threads of a rank were busy.
  [[nodiscard]] double utilisation(int rank) const;
};

/// The result as lines "name value" on stdout, and one for each rank.
void print_result(const Result& result);

/// The text of a result file; README.md lists the fields.
[[nodiscard]] std::string to_json(const Result& result, const Raster& raster);

}  // namespace cairn::mandelbrot
