#include "cairn/ckpt/stream.hpp"

#include <xxhash.h>

#include <array>
#include <cstdio>
#include <cstring>

#include "cairn/core/error.hpp"
#include "fixture.hpp"

using namespace cairn;
using namespace cairn::test;

namespace {

/// A distributed array of known values with a frame of ghosts that must not be seen, and the whole
/// of it.
struct Distributed {
  Distributed(ckpt::Block of, double ghost) : block(std::move(of)) {
    storage.assign(ckpt::memory_volume(block), ghost);
    whole.resize(ckpt::volume(block.global));
    for (std::size_t k = 0; k < whole.size(); ++k) whole[k] = value(k);
    for (std::size_t k = 0; k < ckpt::volume(block.count); ++k) fill(k);
  }

  static double value(std::size_t k) { return 0.1 * static_cast<double>(k) - 7.0; }

  /// Element k of this rank's block, in row-major order.
  void fill(std::size_t k) {
    std::size_t in_memory = 0;
    std::size_t in_whole = 0;
    std::size_t memory_stride = 1;
    std::size_t whole_stride = 1;
    for (std::size_t axis = block.count.size(); axis-- > 0;) {
      const std::size_t at = k % block.count[axis];
      k /= block.count[axis];
      in_memory += (at + block.ghosts) * memory_stride;
      in_whole += (at + block.offset[axis]) * whole_stride;
      memory_stride *= block.count[axis] + 2 * block.ghosts;
      whole_stride *= block.global[axis];
    }
    storage[in_memory] = whole[in_whole];
  }

  [[nodiscard]] std::size_t row_size() const { return whole.size() / block.global.front(); }

  ckpt::Block block;
  std::vector<double> storage;
  std::vector<double> whole;
};

/// A grid of ranks along the first `cut` axes.
Distributed cut_along(int cut, ckpt::Shape global, std::size_t ghosts) {
  const CartesianGrid grid(world(), cut);
  ckpt::Block block{global, ckpt::Shape(global.size(), 0), global, ghosts};
  for (int axis = 0; axis < cut; ++axis) {
    const auto range = grid.range(global[static_cast<std::size_t>(axis)], axis);
    block.offset[static_cast<std::size_t>(axis)] = range.first;
    block.count[static_cast<std::size_t>(axis)] = range.count;
  }
  return {std::move(block), 1e300};
}

/// All rows on the last rank, or on every second one: the others have empty blocks.
Distributed lopsided(std::size_t rows, std::size_t columns) {
  const auto ranks = static_cast<std::size_t>(world().size());
  const auto rank = static_cast<std::size_t>(world().rank());
  const std::size_t owners = (ranks + 1) / 2;
  const bool owns = rank % 2 == 0;
  const std::size_t first = rows * ((rank + 1) / 2) / owners;
  const std::size_t last = owns ? rows * (rank / 2 + 1) / owners : first;
  return {{{rows, columns}, {first, 0}, {last - first, columns}, 0}, 1e300};
}

std::string xxh128(const std::vector<double>& values) {
  const auto hash = XXH3_128bits(values.data(), values.size() * sizeof(double));
  std::array<char, 33> text{};
  std::snprintf(text.data(), text.size(), "%016llx%016llx",
                static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text.data();
}

void check_stream(const Distributed& array) {
  const std::size_t row = array.row_size();
  std::size_t next = 0;
  ckpt::stream_rows(
      world(), array.storage, array.block, [&](std::size_t first, std::span<const double> values) {
        CHECK(first == next);
        CHECK(!values.empty());
        CHECK(values.size() % row == 0);
        CHECK(values.size_bytes() <= std::max(std::size_t{1} << 20, row * sizeof(double)));
        CHECK(std::memcmp(values.data(), array.whole.data() + first * row, values.size_bytes()) ==
              0);
        next = first + values.size() / row;
      });
  CHECK(next == (world().is_root() ? array.block.global.front() : 0));
  CHECK(ckpt::digest(world(), array.storage, array.block) == xxh128(array.whole));
}

}  // namespace

TEST_CASE("rows stream to rank 0 in order, complete, about 1 MiB at a time") {
  check_stream(cut_along(1, {300001}, 0));       // a vector, three pieces
  check_stream(cut_along(2, {700, 701}, 1));     // a plane, four pieces
  check_stream(cut_along(2, {97, 7}, 3));        // columns fewer than ghosts
  check_stream(cut_along(3, {40, 30, 200}, 1));  // a box
  check_stream(cut_along(1, {7, 100, 300}, 0));  // slabs
  check_stream(cut_along(1, {7, 500000}, 0));    // a row is more than a chunk
  check_stream(lopsided(3, 50000));              // ranks without a part
  check_stream(lopsided(200003, 1));
}

TEST_CASE("an array without elements streams nothing, and has the digest of no bytes") {
  for (const ckpt::Shape& global : {ckpt::Shape{0}, ckpt::Shape{0, 5}, ckpt::Shape{5, 0}}) {
    const ckpt::Block block{global, ckpt::Shape(global.size(), 0), global, 0};
    bool called = false;
    ckpt::stream_rows(world(), {}, block,
                      [&](std::size_t, std::span<const double>) { called = true; });
    CHECK(!called);
    CHECK(ckpt::digest(world(), {}, block) == xxh128({}));
  }
}

TEST_CASE("an error of the one who takes the rows reaches all ranks, and nobody hangs") {
  const auto array = cut_along(2, {700, 700}, 1);
  for (const std::size_t when : {0, 300, 690}) {
    bool thrown = false;
    try {
      ckpt::stream_rows(world(), array.storage, array.block,
                        [&](std::size_t first, std::span<const double> values) {
                          if (first + values.size() / 700 > when)
                            throw Error(Errc::input_output, "disk full");
                        });
    } catch (const Error& error) {
      thrown = error.agreed() && error.code() == Errc::input_output;
    }
    CHECK(thrown);
  }
}

TEST_CASE("blocks that leave a gap, and storage of another size, are refused on all ranks") {
  const auto good = cut_along(1, {100}, 0);
  const auto code_of = [](std::span<const double> storage, const ckpt::Block& block) {
    try {
      (void)ckpt::digest(world(), storage, block);
    } catch (const Error& error) {
      return error.agreed() ? error.code() : Errc::usage;
    }
    return Errc::usage;
  };
  auto gap = good.block;
  gap.global = {101};
  CHECK(code_of(good.storage, gap) == Errc::internal);
  const auto storage = std::span(good.storage);
  const bool is_last = world().rank() == world().size() - 1;
  CHECK(code_of(is_last ? storage.first(storage.size() - 1) : storage, good.block) ==
        Errc::internal);
}
