#include "geometry.hpp"

namespace cairn::ckpt {

std::size_t volume(const Shape& extents) noexcept {
  std::size_t product = 1;
  for (const auto extent : extents) product *= extent;
  return product;
}

std::size_t memory_volume(const Block& block) noexcept {
  std::size_t product = 1;
  for (const auto count : block.count) product *= count + 2 * block.ghosts;
  return product;
}

std::optional<Box> intersection(const Box& a, const Box& b) {
  Box shared;
  for (std::size_t axis = 0; axis < a.offset.size(); ++axis) {
    const auto first = std::max(a.offset[axis], b.offset[axis]);
    const auto last = std::min(a.offset[axis] + a.count[axis], b.offset[axis] + b.count[axis]);
    if (first >= last) return std::nullopt;
    shared.offset.push_back(first);
    shared.count.push_back(last - first);
  }
  return shared;
}

BoxInArray::BoxInArray(Shape extents, Box box)
    : extents_(std::move(extents)), box_(std::move(box)) {
  for (std::size_t axis = extents_.size(); axis-- > 0;) {
    run_length_ *= box_.count[axis];
    if (box_.count[axis] != extents_[axis]) break;
  }
  run_length_ = std::max<std::size_t>(run_length_, 1);
}

std::size_t BoxInArray::position(std::size_t index) const noexcept {
  std::size_t array_index = 0;
  std::size_t stride = 1;
  for (std::size_t axis = extents_.size(); axis-- > 0;) {
    array_index += (box_.offset[axis] + index % box_.count[axis]) * stride;
    index /= box_.count[axis];
    stride *= extents_[axis];
  }
  return array_index;
}

/// Up to the axis along which the two ends differ there is one index; below it all of them.
Box bounding_box(const Box& box, std::size_t first, std::size_t last) {
  Box bounds = box;
  --last;
  std::size_t stride = volume(box.count);
  for (std::size_t axis = 0; axis < box.count.size(); ++axis) {
    stride /= box.count[axis];
    bounds.offset[axis] = box.offset[axis] + first / stride;
    bounds.count[axis] = last / stride - first / stride + 1;
    if (bounds.count[axis] > 1) break;
    first %= stride;
    last %= stride;
  }
  return bounds;
}

}  // namespace cairn::ckpt
