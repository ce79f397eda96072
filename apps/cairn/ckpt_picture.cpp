#include "ckpt_picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <set>

#include "cairn/program/picture.hpp"
#include "ckpt_element.hpp"
#include "ckpt_text.hpp"

namespace cairn::tool {

namespace {

struct Slice {
  std::size_t axis = 0;
  std::size_t index = 0;
};

Slice slice_of(const ckpt::FieldInfo& field, const std::string& text) {
  Slice slice;
  char end = 0;
  if (std::sscanf(text.c_str(), "%zu=%zu%c", &slice.axis, &slice.index, &end) != 2 ||
      text.find('-') != std::string::npos) {
    throw Error(Errc::usage,
                fmt::format("--slice: '{}' is not AXIS=INDEX, for example 0=12", one_line(text)));
  }
  if (slice.axis >= field.shape.size()) {
    throw Error(Errc::usage, fmt::format("--slice {}: field '{}' has axes 0 to {}", text,
                                         field.name, field.shape.size() - 1));
  }
  if (slice.index >= field.shape[slice.axis]) {
    throw Error(Errc::usage, fmt::format("--slice {}: axis {} of field '{}' has {} indices, from 0",
                                         text, slice.axis, field.name, field.shape[slice.axis]));
  }
  return slice;
}

/// Calls visit(row) for each row of the picture.
template <typename Visit>
void for_each_row(const ckpt::EpochReader& epoch, std::size_t field, const View& view,
                  Visit&& visit) {
  const auto type = epoch.info().fields[field].type;
  std::vector<double> row(view.columns);
  std::size_t filled = 0;
  const auto consume = [&](const ckpt::Box&, std::span<const std::byte> bytes) {
    const auto element = ckpt::size_of(type);
    while (!bytes.empty()) {  // a chunk may end inside a row
      const auto count = std::min(view.columns - filled, bytes.size() / element);
      as_doubles(type, bytes.first(count * element), std::span(row).subspan(filled, count));
      bytes = bytes.subspan(count * element);
      filled += count;
      if (filled < view.columns) return;
      visit(std::span<const double>(row));
      filled = 0;
    }
  };
  epoch.stream(field, view.box, consume);
}

}  // namespace

View view_of(const ckpt::FieldInfo& field, const std::vector<std::string>& slices) {
  View view{{ckpt::Shape(field.shape.size(), 0), field.shape}, 0, 0};
  std::set<std::size_t> fixed;
  for (const auto& text : slices) {
    const auto slice = slice_of(field, text);
    view.box.offset[slice.axis] = slice.index;
    view.box.count[slice.axis] = 1;
    fixed.insert(slice.axis);
  }
  if (field.shape.size() - fixed.size() != 2) {
    throw Error(
        Errc::usage,
        fmt::format("field '{}' has {} axes ({}), of which {} {} sliced; a picture has two: "
                    "give --slice AXIS=INDEX for all others",
                    field.name, field.shape.size(), shape_text(field.shape), fixed.size(),
                    fixed.size() == 1 ? "is" : "are"));
  }
  if (ckpt::volume(view.box.count) == 0) {
    throw Error(Errc::usage, fmt::format("field '{}' is empty: nothing to draw", field.name));
  }
  for (std::size_t axis = 0; axis < field.shape.size(); ++axis) {
    if (!fixed.contains(axis)) (view.rows == 0 ? view.rows : view.columns) = field.shape[axis];
  }
  return view;
}

Picture draw(const ckpt::EpochReader& epoch, std::size_t field, const View& view) {
  Picture picture;
  double minimum = std::numeric_limits<double>::infinity();
  double maximum = -minimum;
  for_each_row(epoch, field, view, [&](std::span<const double> row) {
    for (const double value : row) {
      if (!std::isfinite(value)) continue;
      minimum = std::min(minimum, value);
      maximum = std::max(maximum, value);
    }
  });
  if (minimum <= maximum) {
    picture.minimum = minimum;
    picture.maximum = maximum;
  }
  program::Canvas canvas(view.rows, view.columns, picture.minimum, picture.maximum);
  for_each_row(epoch, field, view, [&](std::span<const double> row) { canvas.add_row(row); });
  picture.png = canvas.png();
  return picture;
}

}  // namespace cairn::tool
