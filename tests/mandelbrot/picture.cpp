#include "picture.hpp"

#include <doctest/doctest.h>
#include <png.h>

#include <array>
#include <set>
#include <string>
#include <vector>

using namespace cairn::mandelbrot;

namespace {

using Pixel = std::array<std::uint8_t, 3>;

std::vector<Pixel> pixels_of(const std::string& bytes, std::size_t width, std::size_t height) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  CHECK(png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()) != 0);
  CHECK(image.width == width);
  CHECK(image.height == height);
  image.format = PNG_FORMAT_RGB;
  std::vector<Pixel> pixels(width * height);
  CHECK(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr) != 0);
  return pixels;
}

/// Two rows of three; the first is inside.
const Raster raster(3, 2, {}, 1, 1);
const std::vector<std::uint32_t> shades{0, 256, 700, 1000, 5000, 100000};

}  // namespace

TEST_CASE("the set is black, and nothing else is") {
  const auto pixels = pixels_of(picture_of_set(raster, shades), 3, 2);
  CHECK(pixels[0] == Pixel{0, 0, 0});
  for (std::size_t i = 1; i < pixels.size(); ++i) CHECK(pixels[i] != Pixel{0, 0, 0});
}

TEST_CASE("ranks and threads have colours of their own") {
  const std::vector<std::uint32_t> owners{0, 1, 2, 3, 4, 5};
  const std::vector<std::uint32_t> same(6, 700);
  const auto pixels = pixels_of(picture_of_owners(raster, same, owners, 2), 3, 2);
  CHECK(std::set<Pixel>(pixels.begin(), pixels.end()).size() == 6);
  const auto one =
      pixels_of(picture_of_owners(raster, same, std::vector<std::uint32_t>(6), 2), 3, 2);
  CHECK(std::set<Pixel>(one.begin(), one.end()).size() == 1);
}
