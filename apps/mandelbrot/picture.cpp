#include "picture.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "cairn/program/picture.hpp"

namespace cairn::mandelbrot {

namespace {

using Colour = std::array<double, 3>;  // red, green, blue in [0, 1]

Colour mixed(const Colour& a, const Colour& b, double part) {
  Colour result{};
  for (std::size_t c = 0; c < 3; ++c) result[c] = (1 - part) * a[c] + part * b[c];
  return result;
}

/// Round and round, without a corner: night, blue, ice, gold, rust.
Colour palette(double turn) {
  static constexpr std::array<Colour, 6> anchors{{{0.02, 0.03, 0.16},
                                                  {0.05, 0.23, 0.58},
                                                  {0.52, 0.78, 0.93},
                                                  {0.99, 0.95, 0.80},
                                                  {0.96, 0.63, 0.13},
                                                  {0.42, 0.11, 0.10}}};
  const double place = (turn - std::floor(turn)) * static_cast<double>(anchors.size());
  const auto from = std::min(static_cast<std::size_t>(place), anchors.size() - 1);
  const double part = place - static_cast<double>(from);
  return mixed(anchors[from], anchors[(from + 1) % anchors.size()],
               0.5 - 0.5 * std::cos(std::numbers::pi * part));
}

/// Grows by one whenever the iterations double: bands stay wide near the set, where they crowd.
double turns_of(std::uint32_t shade) { return std::log2(1 + shade / 256.0); }

/// A saturated colour. @param hue  in turns
Colour of_hue(double hue, double lightness) {
  Colour result{};
  for (std::size_t c = 0; c < 3; ++c) {
    const double wave = std::cos(2 * std::numbers::pi * (hue - static_cast<double>(c) / 3));
    result[c] = lightness * (0.55 + 0.42 * wave);
  }
  return result;
}

void append(std::vector<std::uint8_t>& rgb, const Colour& colour) {
  for (const double channel : colour)
    rgb.push_back(static_cast<std::uint8_t>(std::lround(255 * std::clamp(channel, 0.0, 1.0))));
}

}  // namespace

std::string picture_of_set(const Raster& raster, std::span<const std::uint32_t> shades) {
  std::vector<std::uint8_t> rgb;
  rgb.reserve(3 * shades.size());
  for (const std::uint32_t shade : shades)
    append(rgb, shade == 0 ? Colour{} : palette(0.45 * turns_of(shade) - 0.2));
  return program::png_of(static_cast<std::size_t>(raster.width()), rgb);
}

std::string picture_of_owners(const Raster& raster, std::span<const std::uint32_t> shades,
                              std::span<const std::uint32_t> owners, int threads) {
  // Hues of neighbouring ranks are far apart, for any number of them.
  constexpr double golden = 0.6180339887498949;
  std::vector<std::uint8_t> rgb;
  rgb.reserve(3 * shades.size());
  for (int row = 0; row < raster.height(); ++row) {
    for (int column = 0; column < raster.width(); ++column) {
      const auto owner = static_cast<int>(owners[raster.tile_of(column, row)]);
      const int rank = owner / threads;
      const double lightness = 1 - 0.45 * (owner % threads) / threads;
      const std::uint32_t shade = shades[raster.index(column, row)];
      const double light =
          shade == 0 ? 0.4 : 0.85 + 0.15 * std::cos(2 * std::numbers::pi * turns_of(shade));
      append(rgb, of_hue(0.5 + golden * rank, lightness * light));
    }
  }
  return program::png_of(static_cast<std::size_t>(raster.width()), rgb);
}

}  // namespace cairn::mandelbrot
