#include "cairn/ckpt/inspect.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "cairn/core/error.hpp"
#include "fixture.hpp"

using namespace cairn;
using namespace cairn::ckpt;
using cairn::test::SharedDirectory;
using cairn::test::world;

namespace {

constexpr std::array<std::size_t, 4> extents{3, 7, 4, 5};

/// Element k of the global array is k.
void save_epoch(const std::filesystem::path& directory) {
  const CartesianGrid grid(world(), 2);
  const auto outer = grid.range(extents[0] * 5, 0);
  const auto inner = grid.range(extents[1] * 5, 1);
  const Block block{{extents[0] * 5, extents[1] * 5, extents[2], extents[3]},
                    {outer.first, inner.first, 0, 0},
                    {outer.count, inner.count, extents[2], extents[3]}};
  std::vector<std::int32_t> data;
  for (std::size_t i = 0; i < outer.count; ++i) {
    for (std::size_t j = 0; j < inner.count; ++j) {
      for (std::size_t k = 0; k < extents[2] * extents[3]; ++k) {
        const auto row = (outer.first + i) * extents[1] * 5 + inner.first + j;
        data.push_back(static_cast<std::int32_t>(row * extents[2] * extents[3] + k));
      }
    }
  }
  Checkpointer checkpointer(world(), {.directory = directory, .program = "inspect"});
  checkpointer.field("k", data, block);
  checkpointer.save(5);
}

/// Whether `stream` hands out exactly the box, in order, in chunks of at most `chunk_bytes`.
bool streams(const EpochReader& epoch, const Box& box, std::size_t chunk_bytes) {
  const auto& shape = epoch.info().fields[0].shape;
  std::vector<std::int32_t> seen;
  bool bounded = true;
  epoch.stream(
      0, box,
      [&](const Box& chunk, std::span<const std::byte> bytes) {
        bounded = bounded && bytes.size() == volume(chunk.count) * sizeof(std::int32_t) &&
                  bytes.size() <= std::max(chunk_bytes, sizeof(std::int32_t));
        const auto before = seen.size();
        seen.resize(before + volume(chunk.count));
        std::memcpy(seen.data() + before, bytes.data(), bytes.size());
      },
      chunk_bytes);
  std::vector<std::int32_t> expected;
  for (std::size_t n = 0; n < volume(shape); ++n) {
    auto rest = n;
    bool inside = true;
    for (std::size_t axis = 4; axis-- > 0;) {
      const auto index = rest % shape[axis];
      rest /= shape[axis];
      inside = inside && box.offset[axis] <= index && index < box.offset[axis] + box.count[axis];
    }
    if (inside) expected.push_back(static_cast<std::int32_t>(n));
  }
  return bounded && seen == expected;
}

}  // namespace

TEST_CASE("a box of a field streams in its order, in chunks of any size") {
  const SharedDirectory scratch;
  save_epoch(scratch.path);
  if (!world().is_root()) return;
  const EpochReader epoch(scratch.path, 1);
  CHECK(epoch.info().step == 5);
  CHECK(epoch.info().ranks == world().size());
  const auto shape = epoch.info().fields[0].shape;
  for (const std::size_t chunk_bytes : {1, 4, 8, 76, 80, 84, 2800, 2804, 7777, 1 << 20}) {
    CHECK(streams(epoch, {{0, 0, 0, 0}, shape}, chunk_bytes));
    CHECK(streams(epoch, {{2, 3, 1, 2}, {9, 11, 2, 3}}, chunk_bytes));
    CHECK(streams(epoch, {{4, 0, 3, 0}, {1, 35, 1, 5}}, chunk_bytes));
    CHECK(streams(epoch, {{4, 0, 3, 0}, {1, 35, 0, 5}}, chunk_bytes));
  }
  std::array<std::byte, 4> one{};
  CHECK_THROWS_AS(epoch.read(0, {{0, 0, 0, 5}, {1, 1, 1, 1}}, one), Error);
  CHECK_THROWS_AS(epoch.read(0, {{0, 0, 0, 0}, {1, 1, 1, 2}}, one), Error);
}

TEST_CASE("a directory is listed, verified and pruned by one process") {
  const SharedDirectory scratch;
  save_epoch(scratch.path);
  if (!world().is_root()) return;
  const auto entries = epochs_in(scratch.path);
  CHECK(entries.size() == 1);
  CHECK(entries.front().verdict == Verdict::committed);
  CHECK(verify(scratch.path, 1).bad.empty());
  const auto pruned = prune(scratch.path, {.keep = 1});
  CHECK(pruned.kept == std::vector<std::uint64_t>{1});
  CHECK(pruned.removed.empty());
  CHECK_THROWS_AS((void)prune(scratch.path, {.keep = 0}), Error);
}
