#include "field.hpp"

#include <xxhash.h>

#include <cmath>
#include <cstring>
#include <iomanip>
#include <sstream>

#include "cairn/core/error.hpp"
#include "digest.hpp"
#include "mpi_test.hpp"
#include "twin.hpp"

using namespace cairn;
using namespace cairn::heat;

namespace {

void fill_from(Field& field, const heat::test::Plate& plate) {
  heat::test::fill(field, [&](std::size_t i, std::size_t j) { return plate[i * field.n() + j]; });
}

}  // namespace

TEST_CASE("rows stream to rank 0 in order, complete, in chunks of about 1 MiB") {
  const auto& world = cairn::test::world();
  for (const int n : {world.size(), 30, 700}) {  // 700² doubles: four chunks
    const auto side = static_cast<std::size_t>(n);
    const auto plate = heat::test::rough_plate(side);
    Field field(world, n);
    fill_from(field, plate);
    std::size_t next = 0;
    int chunks = 0;
    stream_rows(field, [&](std::size_t first, std::span<const double> values) {
      CHECK(first == next);
      CHECK(values.size() % side == 0);
      CHECK(values.size_bytes() <= std::max(std::size_t{1} << 20, side * sizeof(double)));
      CHECK(std::memcmp(values.data(), plate.data() + first * side, values.size_bytes()) == 0);
      next = first + values.size() / side;
      ++chunks;
    });
    CHECK(next == (world.is_root() ? side : 0));
    if (n == 700 && world.is_root()) CHECK(chunks >= 4);
  }
}

TEST_CASE("an error of the one who takes the rows reaches all ranks, and nobody hangs") {
  Field field(cairn::test::world(), 700);
  for (const std::size_t when : {0, 300, 690}) {
    bool thrown = false;
    try {
      stream_rows(field, [&](std::size_t first, std::span<const double> values) {
        if (first + values.size() / field.n() > when) throw Error(Errc::input_output, "disk full");
      });
    } catch (const Error& error) {
      thrown = error.agreed() && error.code() == Errc::input_output;
    }
    CHECK(thrown);
  }
}

TEST_CASE("the digest is XXH3-128 of the field's bytes in global order") {
  const auto& world = cairn::test::world();
  for (const int n : {world.size(), 97, 400}) {
    const auto plate = heat::test::rough_plate(static_cast<std::size_t>(n));
    Field field(world, n);
    fill_from(field, plate);
    const auto hash = XXH3_128bits(plate.data(), plate.size() * sizeof(double));
    std::ostringstream expected;
    expected << std::hex << std::setfill('0') << std::setw(16) << hash.high64 << std::setw(16)
             << hash.low64;
    CHECK(digest(field) == expected.str());
  }
}

TEST_CASE("norms of a field whose norms are known") {
  constexpr int n = 31;  // h = 1/32
  Field field(cairn::test::world(), n);
  heat::test::fill(field, [](std::size_t, std::size_t) { return -1.0; });
  auto all = norms(field);
  CHECK(all.l2 == 31.0 / 32.0);
  CHECK(all.sum == -961.0);
  CHECK(all.minimum == -1.0);
  CHECK(all.maximum == -1.0);

  // Huge terms that cancel: only an exact sum sees the small one.
  heat::test::fill(field, [](std::size_t i, std::size_t j) {
    if (i == 0 && j == 0) return 1e100;
    if (i == 30 && j == 30) return -1e100;
    return i == 15 && j == 15 ? 0.125 : 0.0;
  });
  all = norms(field);
  CHECK(all.sum == 0.125);
  CHECK(all.minimum == -1e100);
  CHECK(all.maximum == 1e100);
  CHECK(all.l2 == doctest::Approx(std::sqrt(2.0) * 1e100 / 32.0).epsilon(1e-15));
}

TEST_CASE("the distance to the closed form") {
  constexpr int n = 31;
  Field field(cairn::test::world(), n);
  const auto sine = sine_of_axis(n);
  heat::test::fill(field, [&](std::size_t i, std::size_t j) { return sine[i] * sine[j]; });
  CHECK(distance_to_sine(field, 0.0).l2 == 0.0);
  CHECK(distance_to_sine(field, 0.0).maximum == 0.0);
  // Of sin sin to half of it: the maximum is 1/2 in the middle, and h² Σ sin² sin² is 1/4 exactly.
  const double half_life = std::log(2.0) / (2.0 * std::acos(-1.0) * std::acos(-1.0));
  CHECK(distance_to_sine(field, half_life).maximum == doctest::Approx(0.5).epsilon(1e-12));
  CHECK(distance_to_sine(field, half_life).l2 == doctest::Approx(0.25).epsilon(1e-12));
}
