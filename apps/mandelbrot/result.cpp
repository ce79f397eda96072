#include "result.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

namespace cairn::mandelbrot {

namespace {

double sum_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

std::string hexadecimal(std::uint64_t checksum) { return fmt::format("{:016x}", checksum); }

}  // namespace

double Result::ideal_seconds() const {
  return sum_of(rendering.busy_seconds) / (static_cast<double>(ranks) * threads);
}

double Result::utilisation(int rank) const {
  const double busy = rendering.busy_seconds[static_cast<std::size_t>(rank)];
  return rendering.seconds > 0 ? busy / (rendering.seconds * threads) : 0;
}

void print_result(const Result& result) {
  const Rendering& rendering = result.rendering;
  fmt::print("checksum {}\niterations {}\npixels {}\n", hexadecimal(rendering.totals.checksum),
             rendering.totals.iterations, rendering.totals.pixels);
  fmt::print("seconds {:.4g}\nideal_seconds {:.4g}\nimbalance {:.4g}\n", rendering.seconds,
             result.ideal_seconds(), rendering.imbalance());
  const std::size_t frames = result.frame_seconds.size();
  for (std::size_t frame = 0; frames > 1 && frame < frames; ++frame)
    fmt::print("frame {} seconds {:.4g} imbalance {:.4g}\n", frame, result.frame_seconds[frame],
               result.frame_imbalance[frame]);
  for (int rank = 0; rank < result.ranks; ++rank)
    fmt::print("rank {} busy_seconds {:.4g} cpu_seconds {:.4g} utilisation {:.3f}\n", rank,
               rendering.busy_seconds[static_cast<std::size_t>(rank)],
               rendering.cpu_seconds[static_cast<std::size_t>(rank)], result.utilisation(rank));
  std::fflush(stdout);
}

std::string to_json(const Result& result, const Raster& raster) {
  const Rendering& rendering = result.rendering;
  std::vector<double> utilisation;
  for (int rank = 0; rank < result.ranks; ++rank) utilisation.push_back(result.utilisation(rank));
  const nlohmann::ordered_json json{{"program", "cairn-mandelbrot"},
                                    {"schedule", result.schedule},
                                    {"width", raster.width()},
                                    {"height", raster.height()},
                                    {"center", {raster.view().centre.x, raster.view().centre.y}},
                                    {"zoom", raster.view().zoom},
                                    {"most_iterations", raster.view().iterations},
                                    {"rows", result.rows},
                                    {"columns", result.columns},
                                    {"checksum", hexadecimal(rendering.totals.checksum)},
                                    {"iterations", rendering.totals.iterations},
                                    {"pixels", rendering.totals.pixels},
                                    {"ranks", result.ranks},
                                    {"threads", result.threads},
                                    {"seconds", rendering.seconds},
                                    {"ideal_seconds", result.ideal_seconds()},
                                    {"imbalance", rendering.imbalance()},
                                    {"frame_seconds", result.frame_seconds},
                                    {"frame_imbalance", result.frame_imbalance},
                                    {"busy_seconds", rendering.busy_seconds},
                                    {"cpu_seconds", rendering.cpu_seconds},
                                    {"utilisation", utilisation}};
  return json.dump(2) + "\n";
}

}  // namespace cairn::mandelbrot
