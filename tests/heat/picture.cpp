#include "picture.hpp"

#include <png.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/error.hpp"
#include "cairn/program/picture.hpp"
#include "initial.hpp"
#include "mpi_test.hpp"
#include "twin.hpp"

using namespace cairn;
using namespace cairn::heat;
using cairn::program::colour;

namespace {

/// A private folder that rank 0 makes and removes.
class Scratch {
 public:
  Scratch() {
    const auto& world = cairn::test::world();
    std::string name = (std::filesystem::temp_directory_path() / "cairn-heat-XXXXXX").string();
    if (world.is_root() && ::mkdtemp(name.data()) == nullptr) name.clear();
    bcast(world, into(name));
    path_ = name;
  }
  ~Scratch() {
    barrier(cairn::test::world());
    if (cairn::test::world().is_root()) std::filesystem::remove_all(path_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

struct Pixels {
  std::size_t width = 0;
  std::size_t height = 0;
  std::vector<std::uint8_t> rgb;
};

Pixels read_rgb(const std::filesystem::path& file) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  CHECK(png_image_begin_read_from_file(&image, file.c_str()) != 0);
  image.format = PNG_FORMAT_RGB;
  Pixels pixels{image.width, image.height, std::vector<std::uint8_t>(PNG_IMAGE_SIZE(image))};
  CHECK(png_image_finish_read(&image, nullptr, pixels.rgb.data(), 0, nullptr) != 0);
  return pixels;
}

void write_grey(const std::filesystem::path& file, unsigned width, unsigned height,
                const std::vector<std::uint8_t>& grey) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = PNG_FORMAT_GRAY;
  CHECK(png_image_write_to_file(&image, file.c_str(), 0, grey.data(), 0, nullptr) != 0);
}

int code_of_initial(const std::string& name) {
  try {
    const Initial initial(cairn::test::world(), name, 1);
  } catch (const Error& error) {
    CHECK(error.agreed());
    return error.exit_code();
  }
  return 0;
}

}  // namespace

TEST_CASE("colours begin and end where they should, and grow lighter all the way") {
  CHECK(colour(0.0) == std::array<std::uint8_t, 3>{0, 0, 4});
  CHECK(colour(1.0) == std::array<std::uint8_t, 3>{252, 255, 164});
  CHECK(colour(-3.0) == colour(0.0));
  CHECK(colour(7.0) == colour(1.0));
  double before = -1.0;
  for (int i = 0; i <= 100; ++i) {
    const auto [r, g, b] = colour(i / 100.0);
    const double light = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    CHECK(light >= before);
    before = light;
  }
}

TEST_CASE("a small field is a pixel a point") {
  const Scratch scratch;
  constexpr int n = 24;
  Field field(cairn::test::world(), n);
  heat::test::fill(field,
                   [](std::size_t i, std::size_t j) { return static_cast<double>(i * 24 + j); });
  write_picture(field, 0.0, 575.0, scratch / "u.png");
  const auto pixels = read_rgb(scratch / "u.png");
  CHECK(pixels.width == 24);
  CHECK(pixels.height == 24);
  for (std::size_t k = 0; k < 576; ++k) {
    const auto expected = colour(static_cast<double>(k) * (1.0 / 575.0));
    for (std::size_t c = 0; c < 3; ++c) CHECK(pixels.rgb[3 * k + c] == expected[c]);
  }
}

TEST_CASE("a large field is drawn as means of squares, the last ones smaller") {
  const Scratch scratch;
  constexpr int n = 1201;  // squares of 2, the last of 1
  Field field(cairn::test::world(), n);
  heat::test::fill(field, [](std::size_t i, std::size_t j) {
    return static_cast<double>((i * 7 + j * 3) % 64);
  });
  write_picture(field, 0.0, 64.0, scratch / "u.png");
  const auto pixels = read_rgb(scratch / "u.png");
  CHECK(pixels.width == 601);
  CHECK(pixels.height == 601);
  int wrong = 0;
  for (std::size_t p = 0; p < 601; ++p) {
    for (std::size_t q = 0; q < 601; ++q) {
      double sum = 0.0;  // of small integers: exact
      double points = 0.0;
      for (std::size_t i = 2 * p; i < std::min<std::size_t>(2 * p + 2, n); ++i) {
        for (std::size_t j = 2 * q; j < std::min<std::size_t>(2 * q + 2, n); ++j) {
          sum += static_cast<double>((i * 7 + j * 3) % 64);
          points += 1.0;
        }
      }
      const auto expected = colour(sum / points / 64.0);
      for (std::size_t c = 0; c < 3; ++c) {
        wrong += pixels.rgb[3 * (p * 601 + q) + c] != expected[c] ? 1 : 0;
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("a constant field has a picture, and a folder that is not there is an error of all") {
  const Scratch scratch;
  Field field(cairn::test::world(), 20);
  write_picture(field, 0.0, 0.0, scratch / "flat.png");
  CHECK(read_rgb(scratch / "flat.png").rgb[2] == 4);
  CHECK_THROWS_AS(write_picture(field, 0.0, 0.0, scratch / "nowhere/u.png"), Error);
}

TEST_CASE("sampling between pixels is bilinear") {
  const Image image{2, 2, {0, 255, 255, 0}};
  CHECK(image.at(0.25, 0.25) == 0.0);  // the pixels' centres
  CHECK(image.at(0.75, 0.25) == 1.0);
  CHECK(image.at(0.5, 0.25) == 0.5);
  CHECK(image.at(0.5, 0.5) == 0.5);
  CHECK(image.at(0.0, 0.0) == 0.0);  // and nothing beyond them
  CHECK(image.at(1.0, 0.0) == 1.0);
  const Image one{1, 1, {51}};
  CHECK(one.at(0.3, 0.9) == 0.2);
}

TEST_CASE("a picture becomes a field, first row on top") {
  const Scratch scratch;
  std::vector<std::uint8_t> grey(std::size_t{15} * 15);
  for (std::size_t k = 0; k < grey.size(); ++k) grey[k] = static_cast<std::uint8_t>(k);
  if (cairn::test::world().is_root()) write_grey(scratch / "in.png", 15, 15, grey);
  const Initial initial(cairn::test::world(), scratch / "in.png", 1);
  CHECK_FALSE(initial.is_sine());
  CHECK(initial.identity().find("picture 15x15") != std::string::npos);
  Field field(cairn::test::world(), 31);
  initial.fill(field);
  const Image image{15, 15, grey};
  double worst = 0.0;
  for (std::size_t i = 0; i < field.rows().count; ++i) {
    for (std::size_t j = 0; j < field.columns().count; ++j) {
      const double x = static_cast<double>(field.columns().first + j + 1) / 32.0;
      const double y = static_cast<double>(field.rows().first + i + 1) / 32.0;
      worst = std::max(worst, std::abs(field.row(i)[j] - image.at(x, y)));
    }
  }
  CHECK(worst == 0.0);
}

TEST_CASE("spots depend on the seed alone") {
  const auto& world = cairn::test::world();
  Field field(world, 50);
  Field again(world, 50);
  Initial(world, "spots", 5).fill(field);
  Initial(world, "spots", 5).fill(again);
  CHECK(field.now == again.now);
  Initial(world, "spots", 6).fill(again);
  CHECK(all_reduce(world, field.now != again.now ? 1 : 0) > 0);
  const auto all = norms(field);
  CHECK(all.minimum == 0.0);
  CHECK(all.maximum > 0.5);
  CHECK(all.maximum <= 1.0);
  CHECK(Initial(world, "spots", 5).identity() != Initial(world, "spots", 6).identity());
}

TEST_CASE("bad pictures are refused on all ranks") {
  const Scratch scratch;
  if (cairn::test::world().is_root()) {
    std::ofstream(scratch / "text.png") << "this is no picture";
    write_grey(scratch / "good.png", 64, 64, std::vector<std::uint8_t>(std::size_t{64} * 64, 9));
    std::filesystem::copy(scratch / "good.png", scratch / "cut.png");
    std::filesystem::resize_file(scratch / "cut.png",
                                 std::filesystem::file_size(scratch / "good.png") - 30);
  }
  CHECK(code_of_initial(scratch / "good.png") == 0);
  CHECK(code_of_initial(scratch / "text.png") == 65);
  CHECK(code_of_initial(scratch / "cut.png") == 65);
  CHECK(code_of_initial(scratch / "missing.png") == 66);
  CHECK(code_of_initial("hot") == 64);
}
