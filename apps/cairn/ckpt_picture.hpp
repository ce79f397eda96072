/// A field of an epoch as a picture.
#pragma once

#include <string>
#include <vector>

#include "cairn/ckpt/inspect.hpp"

namespace cairn::tool {

/// What a picture shows of a field: all of its axes but two stand at one index.
struct View {
  ckpt::Box box;
  std::size_t rows = 0;     ///< along the first axis that is left; the first one is on top
  std::size_t columns = 0;  ///< along the second one
};

/// @param slices  "AXIS=INDEX", one per axis to leave out
/// @throws Error{Errc::usage} unless exactly two axes are left, and some points
[[nodiscard]] View view_of(const ckpt::FieldInfo& field, const std::vector<std::string>& slices);

struct Picture {
  std::string png;     ///< the bytes of the file
  double minimum = 0;  ///< what the ends of the colours stand for: the range of the finite values
  double maximum = 0;
};

/// Reads the view twice. Memory: the picture and a chunk.
[[nodiscard]] Picture draw(const ckpt::EpochReader& epoch, std::size_t field, const View& view);

}  // namespace cairn::tool
