/// The field as a picture.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "field.hpp"

namespace cairn::heat {

/// The longest side of a picture, in pixels.
inline constexpr std::size_t most_pixels_a_side = 1024;

/// The colour of `value` in [0, 1]: black through purple and orange to pale yellow, growing evenly
/// in lightness.
///
/// Source: "inferno" of matplotlib by N. Smith and S. van der Walt, 2015 (CC0), nine of its colours
/// with straight lines between them.
[[nodiscard]] std::array<std::uint8_t, 3> colour(double value) noexcept;

/// Writes the field as a PNG, first row on top: a pixel a point, or the mean of a square of points
/// when there are more than most_pixels_a_side. Colours run from `minimum` to `maximum`.
///
/// Collective, blocking; streams through rank 0, which holds the picture. The file appears
/// complete or not at all.
/// @throws Error{Errc::no_input, permission, input_output} on all ranks
void write_picture(const Field& field, double minimum, double maximum,
                   const std::filesystem::path& file);

}  // namespace cairn::heat
