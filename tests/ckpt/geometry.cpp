#include "geometry.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "cairn/core/random.hpp"

using namespace cairn;
using namespace cairn::ckpt;

namespace {

/// The positions of a box's elements in the array, in box order, by counting through all axes.
std::vector<std::size_t> positions_by_brute_force(const Shape& extents, const Box& box) {
  std::vector<std::size_t> positions;
  Shape index(extents.size(), 0);
  for (std::size_t n = 0; n < volume(box.count); ++n) {
    std::size_t position = 0;
    for (std::size_t axis = 0; axis < extents.size(); ++axis) {
      position = position * extents[axis] + box.offset[axis] + index[axis];
    }
    positions.push_back(position);
    for (std::size_t axis = extents.size(); axis-- > 0;) {
      if (++index[axis] < box.count[axis]) break;
      index[axis] = 0;
    }
  }
  return positions;
}

Box random_box(const Shape& extents, std::uint64_t seed) {
  const Random random(seed);
  Box box;
  for (std::size_t axis = 0; axis < extents.size(); ++axis) {
    const auto count = 1 + random.below(2 * axis, extents[axis]);
    box.count.push_back(count);
    box.offset.push_back(random.below(2 * axis + 1, extents[axis] - count + 1));
  }
  return box;
}

}  // namespace

TEST_CASE("runs and positions agree with counting, for random boxes of one to four axes") {
  const std::vector<Shape> arrays{{17}, {5, 7}, {1, 6}, {3, 4, 5}, {4, 1, 3}, {2, 3, 2, 4}};
  for (const auto& extents : arrays) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      const auto box = random_box(extents, seed);
      const auto expected = positions_by_brute_force(extents, box);
      const BoxInArray mapped(extents, box);
      std::vector<std::size_t> got(expected.size(), 999);
      const auto middle = seed % (expected.size() + 1);
      const auto visit = [&](std::size_t in_array, std::size_t index, std::size_t length) {
        for (std::size_t i = 0; i < length; ++i) got[index + i] = in_array + i;
      };
      mapped.for_each_run(0, middle, visit);
      mapped.for_each_run(middle, expected.size(), visit);
      CHECK(got == expected);
    }
  }
}

TEST_CASE("whole trailing axes merge into one run") {
  CHECK(BoxInArray({8, 6}, {{2, 0}, {3, 6}}).run_length() == 18);
  CHECK(BoxInArray({8, 6}, {{2, 1}, {3, 5}}).run_length() == 5);
  CHECK(BoxInArray({2, 3, 4}, {{0, 0, 0}, {2, 3, 4}}).run_length() == 24);
}

TEST_CASE("intersection is what both contain") {
  const Box a{{0, 2}, {4, 4}};
  CHECK(!intersection(a, {{4, 2}, {1, 1}}));
  const auto shared = intersection(a, {{3, 0}, {5, 3}});
  REQUIRE(shared);
  CHECK(shared->offset == Shape{3, 2});
  CHECK(shared->count == Shape{1, 1});
  CHECK(!intersection(a, {{0, 2}, {0, 4}}));
}

TEST_CASE("memory holds the ghosts too") {
  CHECK(memory_volume({{10, 10}, {0, 0}, {3, 4}, 1}) == 30);
  CHECK(volume({}) == 1);
  CHECK(volume({3, 0}) == 0);
}

TEST_CASE("the bounding box of a range is the smallest box around its elements") {
  const Box box{{2, 5, 1}, {3, 2, 4}};
  const std::size_t elements = volume(box.count);
  for (std::size_t first = 0; first < elements; ++first) {
    for (std::size_t last = first + 1; last <= elements; ++last) {
      Shape low{99, 99, 99};
      Shape high{0, 0, 0};
      for (std::size_t n = first; n < last; ++n) {
        const std::size_t index[]{2 + n / 8, 5 + n / 4 % 2, 1 + n % 4};
        for (std::size_t axis = 0; axis < 3; ++axis) {
          low[axis] = std::min(low[axis], index[axis]);
          high[axis] = std::max(high[axis], index[axis]);
        }
      }
      const auto bounds = bounding_box(box, first, last);
      for (std::size_t axis = 0; axis < 3; ++axis) {
        CHECK(bounds.offset[axis] == low[axis]);
        CHECK(bounds.offset[axis] + bounds.count[axis] == high[axis] + 1);
      }
    }
  }
}
