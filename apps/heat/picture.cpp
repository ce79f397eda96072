#include "picture.hpp"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "cairn/ckpt/stream.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/core/atomic_file.hpp"

namespace cairn::heat {

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

namespace {

/// Collects rows of the field into rows of pixels; lives on rank 0.
class Canvas {
 public:
  Canvas(std::size_t n, double minimum, double maximum)
      : n_(n),
        square_((n + most_pixels_a_side - 1) / most_pixels_a_side),
        side_((n + square_ - 1) / square_),
        minimum_(minimum),
        scale_(maximum > minimum ? 1.0 / (maximum - minimum) : 0.0),
        sums_(side_, 0.0) {
    rgb_.reserve(3 * side_ * side_);
  }

  void add_row(std::size_t i, std::span<const double> row) {
    for (std::size_t j = 0; j < n_; ++j) sums_[j / square_] += row[j];
    ++rows_;
    if (rows_ == square_ || i + 1 == n_) finish_row();
  }

  [[nodiscard]] std::string png() const {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = image.height = static_cast<png_uint_32>(side_);
    image.format = PNG_FORMAT_RGB;
    std::string bytes(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
    png_alloc_size_t size = bytes.size();
    if (png_image_write_to_memory(&image, bytes.data(), &size, 0, rgb_.data(), 0, nullptr) == 0) {
      throw Error(Errc::internal, std::string("cannot encode the picture: ") + image.message);
    }
    bytes.resize(size);
    return bytes;
  }

 private:
  void finish_row() {
    for (std::size_t p = 0; p < side_; ++p) {
      const std::size_t points = rows_ * std::min(square_, n_ - p * square_);
      const double mean = sums_[p] / static_cast<double>(points);
      for (const auto channel : colour((mean - minimum_) * scale_)) rgb_.push_back(channel);
    }
    std::fill(sums_.begin(), sums_.end(), 0.0);
    rows_ = 0;
  }

  std::size_t n_;
  std::size_t square_;  // points along a pixel's side
  std::size_t side_;    // pixels along the picture's side
  double minimum_;
  double scale_;
  std::vector<double> sums_;
  std::size_t rows_ = 0;  // in sums_
  std::vector<std::uint8_t> rgb_;
};

}  // namespace

void write_picture(const Field& field, double minimum, double maximum,
                   const std::filesystem::path& file) {
  Canvas canvas(field.n(), minimum, maximum);
  const auto add = [&](std::size_t first, std::span<const double> values) {
    for (std::size_t i = 0; i * field.n() < values.size(); ++i) {
      canvas.add_row(first + i, values.subspan(i * field.n(), field.n()));
    }
  };
  ckpt::stream_rows(field.comm(), field.now, block_of(field), add);
  together(field.comm(), [&] {
    if (field.comm().is_root()) write_file_atomically(file, canvas.png());
  });
}

}  // namespace cairn::heat
