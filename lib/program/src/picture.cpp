#include "cairn/program/picture.hpp"

#include <png.h>

#include <algorithm>
#include <cmath>

#include "cairn/core/error.hpp"

namespace cairn::program {

std::array<std::uint8_t, 3> colour(double value) noexcept {
  static constexpr std::array<std::array<double, 3>, 9> anchors{{{0, 0, 4},
                                                                 {31, 12, 72},
                                                                 {85, 15, 109},
                                                                 {136, 34, 106},
                                                                 {187, 55, 84},
                                                                 {227, 89, 51},
                                                                 {249, 142, 9},
                                                                 {249, 203, 53},
                                                                 {252, 255, 164}}};
  if (std::isnan(value)) return {128, 128, 128};
  const double place = std::clamp(value, 0.0, 1.0) * static_cast<double>(anchors.size() - 1);
  const std::size_t low = std::min(static_cast<std::size_t>(place), anchors.size() - 2);
  const double part = place - static_cast<double>(low);
  std::array<std::uint8_t, 3> rgb{};
  for (std::size_t c = 0; c < 3; ++c) {
    const double mixed = (1.0 - part) * anchors[low][c] + part * anchors[low + 1][c];
    rgb[c] = static_cast<std::uint8_t>(std::lround(mixed));
  }
  return rgb;
}

Canvas::Canvas(std::size_t rows, std::size_t columns, double minimum, double maximum)
    : rows_(rows),
      columns_(columns),
      square_((std::max(rows, columns) + most_pixels_a_side - 1) / most_pixels_a_side),
      width_((columns + square_ - 1) / square_),
      height_((rows + square_ - 1) / square_),
      minimum_(minimum),
      scale_(maximum > minimum ? 1.0 / (maximum - minimum) : 0.0),
      sums_(width_, 0.0) {
  expects(rows > 0 && columns > 0, "a picture of one point or more");
  rgb_.reserve(3 * width_ * height_);
}

void Canvas::add_row(std::span<const double> row) {
  expects(row.size() == columns_ && added_ < rows_, "a row of the picture");
  for (std::size_t j = 0; j < columns_; ++j) sums_[j / square_] += row[j];
  ++added_;
  ++pending_;
  if (pending_ == square_ || added_ == rows_) finish_row();
}

void Canvas::finish_row() {
  for (std::size_t p = 0; p < width_; ++p) {
    const std::size_t points = pending_ * std::min(square_, columns_ - p * square_);
    const double mean = sums_[p] / static_cast<double>(points);
    for (const auto channel : colour((mean - minimum_) * scale_)) rgb_.push_back(channel);
  }
  std::fill(sums_.begin(), sums_.end(), 0.0);
  pending_ = 0;
}

std::string Canvas::png() const {
  expects(added_ == rows_, "all rows of the picture");
  return png_of(width_, rgb_);
}

std::string png_of(std::size_t width, std::span<const std::uint8_t> rgb) {
  expects(width > 0 && !rgb.empty() && rgb.size() % (3 * width) == 0, "whole rows of pixels");
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(rgb.size() / (3 * width));
  image.format = PNG_FORMAT_RGB;
  std::string bytes(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
  png_alloc_size_t size = bytes.size();
  if (png_image_write_to_memory(&image, bytes.data(), &size, 0, rgb.data(), 0, nullptr) == 0) {
    throw Error(Errc::internal, std::string("cannot encode the picture: ") + image.message);
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace cairn::program
