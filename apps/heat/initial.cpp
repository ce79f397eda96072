#include "initial.hpp"

#include <fmt/format.h>
#include <png.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <filesystem>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/random.hpp"

namespace cairn::heat {

namespace {

constexpr std::size_t most_pixels = std::size_t{1} << 25;
constexpr int spot_count = 24;

struct Spot {
  double x, y, radius, heat;
};

std::array<Spot, spot_count> spots_of(std::uint64_t seed) {
  std::array<Spot, spot_count> spots{};
  for (std::size_t s = 0; s < spots.size(); ++s) {
    const Random random(seed, s);
    spots[s] = {random.uniform(0), random.uniform(1), 0.02 + 0.08 * random.uniform(2),
                0.25 + 0.75 * random.uniform(3)};
  }
  return spots;
}

double hottest(const std::array<Spot, spot_count>& spots, double x, double y) {
  double heat = 0.0;
  for (const auto& spot : spots) {
    const double dx = x - spot.x;
    const double dy = y - spot.y;
    if (dx * dx + dy * dy < spot.radius * spot.radius) heat = std::max(heat, spot.heat);
  }
  return heat;
}

Image read_png(const std::string& file) {
  if (::access(file.c_str(), R_OK) != 0) throw_errno(errno, "--initial " + file);
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error))  // a pipe would be waited for
    throw Error(Errc::usage, "--initial " + file + " is no regular file");
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  const auto fail = [&] {
    const std::string why = png.message;
    png_image_free(&png);
    throw Error(Errc::bad_data, "--initial " + file + " cannot be read as a PNG picture: " + why);
  };
  if (png_image_begin_read_from_file(&png, file.c_str()) == 0) fail();
  if (std::size_t{png.width} * png.height > most_pixels) {
    png_image_free(&png);
    throw Error(Errc::bad_data, fmt::format("--initial {} has {} x {} pixels, and at most {} are "
                                            "read; scale it down first",
                                            file, png.width, png.height, most_pixels));
  }
  png.format = PNG_FORMAT_GRAY;
  Image image{png.width, png.height, std::vector<std::uint8_t>(PNG_IMAGE_SIZE(png))};
  const png_color black{0, 0, 0};  // behind transparent pixels: no heat
  if (png_image_finish_read(&png, &black, image.grey.data(), 0, nullptr) == 0) fail();
  return image;
}

Image read_on_root(const Communicator& comm, const std::string& file) {
  Image image = together(comm, [&] { return comm.is_root() ? read_png(file) : Image{}; });
  image.width = bcast(comm, image.width);
  image.height = bcast(comm, image.height);
  together(comm, [&] { image.grey.resize(image.width * image.height); });
  bcast(comm, std::span(image.grey));
  return image;
}

}  // namespace

double Image::at(double x, double y) const {
  const auto axis = [](double position, std::size_t pixels) {
    const double p = std::clamp(position * static_cast<double>(pixels) - 0.5, 0.0,
                                static_cast<double>(pixels - 1));
    const auto low = static_cast<std::size_t>(p);
    return std::array{static_cast<double>(low), static_cast<double>(std::min(low + 1, pixels - 1)),
                      p - std::floor(p)};
  };
  const auto [left, right, a] = axis(x, width);
  const auto [top, bottom, b] = axis(y, height);
  const auto pixel = [&](double row, double column) {
    const auto i = static_cast<std::size_t>(row) * width + static_cast<std::size_t>(column);
    return static_cast<double>(grey[i]) / 255.0;
  };
  const double above = (1.0 - a) * pixel(top, left) + a * pixel(top, right);
  const double below = (1.0 - a) * pixel(bottom, left) + a * pixel(bottom, right);
  return (1.0 - b) * above + b * below;
}

Initial::Initial(const Communicator& comm, const std::string& name, std::uint64_t seed)
    : name_(name), seed_(seed) {
  if (name_ == "sine" || name_ == "spots") return;
  if (!name_.ends_with(".png") && !name_.ends_with(".PNG")) {
    throw_agreed(comm, Errc::usage, "--initial " + name_ + ": choose sine, spots, or a FILE.png");
  }
  image_ = read_on_root(comm, name_);
}

std::string Initial::identity() const {
  if (name_ == "sine") return "initial=sine";
  if (name_ == "spots") return fmt::format("initial=spots seed={}", seed_);
  return fmt::format("initial=picture {}x{} xxh3={:016x}", image_.width, image_.height,
                     XXH3_64bits(image_.grey.data(), image_.grey.size()));
}

void Initial::fill(Field& field) const {
  const auto sine = sine_of_axis(is_sine() ? field.n() : 0);
  const auto spots = spots_of(seed_);
  const auto rows = static_cast<std::ptrdiff_t>(field.rows().count);
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t r = 0; r < rows; ++r) {
    const auto row = field.row(static_cast<std::size_t>(r));
    const std::size_t i = field.rows().first + static_cast<std::size_t>(r);
    for (std::size_t k = 0; k < row.size(); ++k) {
      const std::size_t j = field.columns().first + k;
      const double y = static_cast<double>(i + 1) * field.h();
      const double x = static_cast<double>(j + 1) * field.h();
      row[k] = is_sine()          ? sine[i] * sine[j]
               : name_ == "spots" ? hottest(spots, x, y)
                                  : image_.at(x, y);
    }
  }
}

}  // namespace cairn::heat
