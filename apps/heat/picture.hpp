/// The field as a picture.
#pragma once

#include <filesystem>

#include "field.hpp"

namespace cairn::heat {

/// Writes the field as a PNG, first row on top: a pixel a point, or the mean of a square of points
/// when there are more than program::most_pixels_a_side. Colours run from `minimum` to `maximum`.
///
/// Collective, blocking; streams through rank 0, which holds the picture. The file appears
/// complete or not at all.
/// @throws Error{Errc::no_input, permission, input_output} on all ranks
void write_picture(const Field& field, double minimum, double maximum,
                   const std::filesystem::path& file);

}  // namespace cairn::heat
