// Colours.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "raster.hpp"

namespace cairn::mandelbrot {

/// The set as the bytes of a PNG: black inside, outside colours that follow the shades. Local.
/// @param shades  shape [height, width]
[[nodiscard]] std::string picture_of_set(const Raster& raster,
                                         std::span<const std::uint32_t> shades);

/// Who computed what, as the bytes of a PNG: a hue for each rank, a lightness for each of its
/// threads, and the set below as a shadow. Local.
/// @param owners   shape [tiles]
/// @param threads  of each rank
[[nodiscard]] std::string picture_of_owners(const Raster& raster,
                                            std::span<const std::uint32_t> shades,
                                            std::span<const std::uint32_t> owners, int threads);

}  // namespace cairn::mandelbrot
