#include "chunks.hpp"

#include <algorithm>
#include <utility>

namespace cairn::ckpt {

namespace {

std::size_t parts_of(std::size_t whole, std::size_t part) { return (whole + part - 1) / part; }

/// The first axis along which a chunk has more than one index; the last one if there is none.
std::size_t cut_axis(const Shape& chunk) {
  std::size_t axis = 0;
  while (axis + 1 < chunk.size() && chunk[axis] == 1) ++axis;
  return axis;
}

}  // namespace

ChunkGrid::ChunkGrid(Shape global, Shape chunk)
    : global_(std::move(global)),
      chunk_(std::move(chunk)),
      axis_(cut_axis(chunk_)),
      chunk_elements_(volume(chunk_)) {
  for (auto axis = axis_; axis < global_.size(); ++axis) line_ *= global_[axis];
  if (volume(global_) == 0) {
    line_ = 1;
    return;
  }
  chunks_per_line_ = parts_of(global_[axis_], chunk_[axis_]);
  chunks_ = volume(global_) / line_ * chunks_per_line_;
}

ChunkGrid ChunkGrid::of(const Shape& global, std::size_t element_bytes) {
  Shape chunk(global.size(), 1);
  const auto limit = (chunk_limit_bytes - 1) / element_bytes;
  std::size_t below = 1;
  for (auto axis = global.size(); axis-- > 0;) {
    const auto extent = std::max<std::size_t>(global[axis], 1);
    const auto most = std::min(limit / below, extent);
    // As many chunks as the limit asks for, and then of equal size.
    chunk[axis] = parts_of(extent, parts_of(extent, most));
    if (chunk[axis] < extent) break;
    below *= extent;
  }
  return {global, std::move(chunk)};
}

bool ChunkGrid::is_valid(const Shape& global, const Shape& chunk) {
  if (global.empty() || chunk.size() != global.size()) return false;
  const auto cut = cut_axis(chunk);
  for (std::size_t axis = 0; axis < chunk.size(); ++axis) {
    const auto extent = std::max<std::size_t>(global[axis], 1);
    if (chunk[axis] < 1 || chunk[axis] > extent) return false;
    if (axis > cut && chunk[axis] != extent) return false;
  }
  return true;
}

Box ChunkGrid::box(std::size_t number) const {
  Box box{Shape(global_.size(), 0), chunk_};
  const auto first = number % chunks_per_line_ * chunk_[axis_];
  box.offset[axis_] = first;
  box.count[axis_] = std::min(chunk_[axis_], global_[axis_] - first);
  auto line = number / chunks_per_line_;
  for (auto axis = axis_; axis-- > 0;) {
    box.offset[axis] = line % global_[axis];
    line /= global_[axis];
  }
  return box;
}

}  // namespace cairn::ckpt
