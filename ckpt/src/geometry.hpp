/// Boxes inside row-major arrays, as runs of consecutive elements.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "cairn/ckpt/box.hpp"

namespace cairn::ckpt {

/// What two boxes share; nothing when they share no element.
[[nodiscard]] std::optional<Box> intersection(const Box& a, const Box& b);

/// A box seen as a sequence of its own elements in row-major order ("box order"), mapped to the
/// array around it.
class BoxInArray {
 public:
  /// `box` lies inside an array of these extents.
  BoxInArray(Shape extents, Box box);

  /// Elements that follow each other both in the box and in the array: whole trailing axes are
  /// merged.
  [[nodiscard]] std::size_t run_length() const noexcept { return run_length_; }

  /// The array's index of element `index` of the box.
  [[nodiscard]] std::size_t position(std::size_t index) const noexcept;

  /// Calls visit(array_index, box_index, length) for the runs that make up [first, last) in box
  /// order.
  template <typename Visit>
  void for_each_run(std::size_t first, std::size_t last, Visit&& visit) const {
    while (first < last) {
      const std::size_t length = std::min(last - first, run_length_ - first % run_length_);
      visit(position(first), first, length);
      first += length;
    }
  }

 private:
  Shape extents_;
  Box box_;
  std::size_t run_length_ = 1;
};

/// The smallest box around elements [first, last) of `box` in box order, first < last.
[[nodiscard]] Box bounding_box(const Box& box, std::size_t first, std::size_t last);

}  // namespace cairn::ckpt
