// cairn-mandelbrot: the Mandelbrot set, whose pixels cost more or less than one thinks, computed by
// any number of ranks and threads under a schedule of one's choice.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/atomic_file.hpp"
#include "cairn/core/error.hpp"
#include "cairn/loadbalance/distributor.hpp"
#include "cairn/loadbalance/pool_metrics.hpp"
#include "cairn/program/places.hpp"
#include "cairn/program/program.hpp"
#include "cairn/program/progress.hpp"
#include "picture.hpp"
#include "raster.hpp"
#include "render.hpp"
#include "result.hpp"

using namespace cairn;
using namespace mandelbrot;

namespace {

struct Settings {
  std::string schedule = "stealing";
  int width = 1024;
  int height = 768;
  int rows = 8;
  int columns = 8;
  std::string view = "set";
  std::string center;
  double zoom = 0;
  int frames = 1;
  double zoom_step = 1.05;
  std::uint64_t iterations = 0;
  std::filesystem::path picture, owners, result;
  bool metrics = false;
};

std::string names_of_views() {
  std::string names;
  for (const NamedView& view : named_views())
    names += (names.empty() ? "" : ", ") + std::string(view.name);
  return names;
}

/// "X,Y".
Point point_of(const std::string& text) {
  Point point;
  const char* const end = text.data() + text.size();
  const auto x = std::from_chars(text.data(), end, point.x);
  if (x.ec == std::errc{} && x.ptr != end && *x.ptr == ',') {
    const auto y = std::from_chars(x.ptr + 1, end, point.y);
    if (y.ec == std::errc{} && y.ptr == end) return point;
  }
  throw Error(Errc::usage, "--center is X,Y, for example -0.75,0.1, not '" + text + "'");
}

Raster raster_of(const Settings& settings, const program::Options& options) {
  const View* const named = find_view(settings.view);
  if (named == nullptr)
    throw Error(Errc::usage,
                "--view " + settings.view + " is not known; there are " + names_of_views());
  View view = *named;
  if (options.given("center")) view.centre = point_of(settings.center);
  if (options.given("zoom")) view.zoom = settings.zoom;
  if (options.given("iterations")) {
    if (settings.iterations > Raster::most_iterations)  // it may not fit into the view's 32 bits
      throw Error(Errc::usage, fmt::format("--iterations is 1 to {}, not {}",
                                           Raster::most_iterations, settings.iterations));
    view.iterations = static_cast<std::uint32_t>(settings.iterations);
  }
  return {settings.width, settings.height, view, settings.columns, settings.rows};
}

/// Of each frame, checked before the first is drawn.
std::vector<Raster> rasters_of(const Settings& settings, const program::Options& options) {
  constexpr int most_frames = 1000000;
  if (settings.frames < 1 || settings.frames > most_frames)
    throw Error(Errc::usage, "--frames is 1 to 1000000");
  if (!(settings.zoom_step > 0)) throw Error(Errc::usage, "--zoom-step is above 0");
  std::vector<Raster> rasters{raster_of(settings, options)};
  View view = rasters[0].view();
  for (int frame = 1; frame < settings.frames; ++frame) {
    view.zoom *= settings.zoom_step;
    rasters.emplace_back(settings.width, settings.height, view, settings.columns, settings.rows);
  }
  return rasters;
}

loadbalance::Policy schedule_of(const Settings& settings) {
  if (const auto policy = loadbalance::policy_of(settings.schedule)) return *policy;
  throw Error(Errc::usage, "--schedule " + settings.schedule + " is not known; there are " +
                               loadbalance::names_of_policies());
}

/// The same on all ranks, since all have the same options.
template <typename Make>
auto agreed(const Communicator& world, Make&& make) {
  try {
    return make();
  } catch (const Error& error) {
    throw_agreed(world, error.code(), error.what());
  }
}

void write_files(const Settings& settings, const Raster& raster, const Result& result) {
  const Rendering& drawn = result.rendering;
  if (!settings.picture.empty())
    write_file_atomically(settings.picture, picture_of_set(raster, drawn.shades));
  if (!settings.owners.empty())
    write_file_atomically(settings.owners,
                          picture_of_owners(raster, drawn.shades, drawn.owners, result.threads));
  if (!settings.result.empty()) write_file_atomically(settings.result, to_json(result, raster));
}

int draw(program::Context& context, const Settings& settings, const program::Options& options) {
  const auto& world = context.world;
  const auto rasters = agreed(world, [&] { return rasters_of(settings, options); });
  const Raster& first = rasters.front();
  const auto policy = agreed(world, [&] { return schedule_of(settings); });
  // A schedule is of all ranks, and so they all have the same number of threads.
  const int threads = all_reduce(world, context.threads, Minimum{});
  program::check_places(context, {settings.picture, settings.owners, settings.result});

  context.log.info(fmt::format("{} x {} pixels in {} tiles, {}; {} ranks of {} threads",
                               first.width(), first.height(), first.tiles(), settings.schedule,
                               world.size(), threads));
  const bool has_pictures = !settings.picture.empty() || !settings.owners.empty();
  Result result{
      settings.schedule, settings.columns, settings.rows, world.size(), threads, {}, {}, {}};
  loadbalance::Distributor distributor(world, threads, policy);
  program::Progress progress(context, "frames", rasters.size());
  for (std::size_t frame = 0; frame < rasters.size(); ++frame) {
    if (rasters.size() > 1) progress.update(frame);
    const bool is_last = frame + 1 == rasters.size();
    Rendering drawn =
        render(distributor, rasters[frame], has_pictures && is_last ? Keep::pixels : Keep::totals);
    result.frame_seconds.push_back(drawn.seconds);
    result.frame_imbalance.push_back(drawn.imbalance());
    result.rendering.add(std::move(drawn));
  }
  progress.finish();
  if (settings.metrics)
    for (const auto& line :
         loadbalance::lines_of(loadbalance::gather_reports(world, distributor.report())))
      context.log.info(line);
  together(world, [&] {
    if (!world.is_root()) return;
    write_files(settings, rasters.back(), result);
    print_result(result);
  });
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  program::Options options("cairn-mandelbrot",
                           "draws the Mandelbrot set, and shows how well its work is shared");
  options
      .add("schedule", settings.schedule, "who computes what: " + loadbalance::names_of_policies())
      .add("width", settings.width, "of the picture, in pixels")
      .add("height", settings.height, "of the picture, in pixels")
      .add("rows", settings.rows, "of pixels in a task")
      .add("columns", settings.columns, "of pixels in a task; the picture's width for whole rows")
      .add("view", settings.view, "a place, with zoom and iterations: " + names_of_views())
      .add("center", settings.center, "X,Y, instead of the view's")
      .add("zoom", settings.zoom,
           "instead of the view's; the shorter side of the picture is 3 / zoom long")
      .hide_default("zoom")
      .add("iterations", settings.iterations, "of a pixel at most, instead of the view's")
      .hide_default("iterations")
      .add("frames", settings.frames, "pictures to draw, each nearer than the one before")
      .add("zoom-step", settings.zoom_step, "from one frame to the next, a factor")
      .add("picture", settings.picture, "PNG of the set, of the last frame")
      .add("owners", settings.owners,
           "PNG of who computed what in the last frame: a colour for each rank and thread")
      .add("result", settings.result, "write checksum, times and balance as JSON")
      .flag("metrics", settings.metrics,
            "how well ranks and threads were used: POP metrics and times of each rank, on stderr")
      .example("mpirun -n 2 cairn-mandelbrot --view corner --schedule block --owners owners.png")
      .example("mpirun -n 2 cairn-mandelbrot --view corner --schedule repartition --frames 5")
      .example("cairn-mandelbrot --center -0.745,0.113 --zoom 200 --picture set.png");
  return program::run(argc, argv, options,
                      [&](program::Context& context) { return draw(context, settings, options); });
}
