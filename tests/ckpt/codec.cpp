// The pieces of compression by themselves: shuffle, codecs, the grid of chunks, and their record.

#include "codec.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "cairn/core/error.hpp"
#include "cairn/core/random.hpp"
#include "chunks.hpp"
#include "record.hpp"
#include "shuffle.hpp"

using namespace cairn;
using namespace cairn::ckpt;

namespace {

std::vector<std::byte> random_bytes(std::size_t n, std::uint64_t seed) {
  const Random random(seed);
  std::vector<std::byte> bytes(n);
  for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::byte>(random.bits(i));
  return bytes;
}

std::vector<std::byte> smooth_bytes(std::size_t numbers) {
  std::vector<double> values(numbers);
  for (std::size_t i = 0; i < numbers; ++i) values[i] = std::sin(1e-3 * static_cast<double>(i));
  std::vector<std::byte> bytes(numbers * sizeof(double));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

constexpr Compression codecs[] = {Compression::shuffle_zstd, Compression::shuffle_lz4,
                                  Compression::shuffle_deflate};

}  // namespace

TEST_CASE("shuffle puts byte b of element i at b n + i, and unshuffle takes it back") {
  for (const std::size_t size : {1, 2, 4, 8, 16}) {
    for (const std::size_t n : {0, 1, 3, 15, 16, 17, 33, 1000, 4096}) {
      const auto from = random_bytes(n * size, n + size);
      std::vector<std::byte> to(from.size());
      shuffle(from, size, to);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t b = 0; b < size; ++b) wrong += to[b * n + i] != from[i * size + b];
      CHECK(wrong == 0);
      std::vector<std::byte> back(from.size());
      unshuffle(to, size, back);
      CHECK(back == from);
    }
  }
}

TEST_CASE("a chunk comes back from every codec, shorter if it is smooth, as it is if it is noise") {
  for (const auto compression : codecs) {
    CAPTURE(name_of(compression));
    Codec codec(compression, 8);
    for (const auto& raw : {smooth_bytes(131071), smooth_bytes(100), random_bytes(80000, 1),
                            std::vector<std::byte>(100000), random_bytes(8, 2)}) {
      const auto packed = codec.pack(raw);
      const std::vector<std::byte> stored(packed.begin(), packed.end());
      std::vector<std::byte> back(raw.size());
      CHECK(stored.size() <= raw.size());
      CHECK(codec.unpack(stored, back));
      CHECK(back == raw);
    }
    CHECK(codec.pack(smooth_bytes(131071)).size() * 13 < 131071 * 8 * 10);
    const auto noise = random_bytes(4096, 3);
    CHECK(codec.pack(noise).data() == noise.data());
  }
}

TEST_CASE("what is no packed chunk of that size is refused, and nothing is written behind it") {
  const Random random(4);
  std::uint64_t index = 0;
  for (const auto compression : codecs) {
    CAPTURE(name_of(compression));
    Codec codec(compression, 8);
    const auto raw = smooth_bytes(4000);
    const auto packed = codec.pack(raw);
    const std::vector<std::byte> stored(packed.begin(), packed.end());
    // A frame of another size, shorter or longer.
    for (const std::size_t wrong : {31992u, 32008u, 8u, 1000000u}) {
      std::vector<std::byte> to(wrong);
      CHECK(!codec.unpack(stored, to));
    }
    std::vector<std::byte> guarded(raw.size() + 64, std::byte{0x5a});
    const auto to = std::span(guarded).first(raw.size());
    for (int trial = 0; trial < 3000; ++trial) {
      auto bytes = stored;
      const int flips = 1 + static_cast<int>(random.below(index++, 4));
      for (int i = 0; i < flips; ++i, index += 2)
        bytes[random.below(index, bytes.size())] = static_cast<std::byte>(random.bits(index + 1));
      bytes.resize(1 + random.below(index++, bytes.size()));
      (void)codec.unpack(bytes, to);
    }
    for (int trial = 0; trial < 1000; ++trial, ++index)
      (void)codec.unpack(random_bytes(1 + random.below(index, 300), index), to);
    for (std::size_t i = raw.size(); i < guarded.size(); ++i) CHECK(guarded[i] == std::byte{0x5a});
    CHECK(codec.unpack(stored, to));
    CHECK(std::equal(to.begin(), to.end(), raw.begin()));
  }
}

TEST_CASE(
    "chunks are whole rows of less than 1 MiB, or pieces of one, and tile the array in order") {
  for (const auto& global :
       {Shape{1}, Shape{10}, Shape{1000000}, Shape{512, 512}, Shape{300, 1000}, Shape{3, 200000},
        Shape{70, 60, 90}, Shape{4, 5, 200000}, Shape{2, 3, 4, 5}, Shape{1, 1, 500000},
        Shape{131072}, Shape{131071}, Shape{7, 1, 131072}}) {
    const auto grid = ChunkGrid::of(global, 8);
    CHECK(ChunkGrid::is_valid(global, grid.chunk()));
    CHECK(grid.chunk_elements() * 8 < chunk_limit_bytes);
    std::size_t next = 0;
    for (std::size_t c = 0; c < grid.chunks(); ++c) {
      const auto box = grid.box(c);
      const BoxInArray in_array(global, box);
      const auto elements = volume(box.count);
      CHECK(in_array.position(0) == next);
      CHECK(in_array.position(elements - 1) == next + elements - 1);
      CHECK(grid.chunk_of(next) == c);
      CHECK(grid.chunk_of(next + elements - 1) == c);
      next += elements;
    }
    CHECK(next == volume(global));
    // Not many more chunks than there must be: padding is at most about a chunk for each line.
    CHECK(volume(global) * 8 <= grid.chunks() * chunk_limit_bytes);
  }
  CHECK(ChunkGrid::of({300, 1000}, 8).chunk() == Shape{100, 1000});
  CHECK(!ChunkGrid::is_valid({10, 10}, {2, 5}));
  CHECK(!ChunkGrid::is_valid({10, 10}, {11, 10}));
  CHECK(!ChunkGrid::is_valid({10, 10}, {0, 10}));
  CHECK(!ChunkGrid::is_valid({10, 10}, {10}));
}

TEST_CASE("the record of a compressed epoch has version 3, comes back, and is checked") {
  EpochRecord record;
  record.job = std::string(32, 'a');
  record.epoch = 1;
  record.data_file = "epoch-0000000001.h5";
  auto& field = record.fields.emplace_back();
  field.name = "u";
  field.global = {300, 1000};
  field.parts.push_back({.box = {{0, 0}, {300, 1000}}});
  record.fields[0].chunks = {Compression::shuffle_zstd,
                             {100, 1000},
                             {{2048, 500000, 0xdeadbeef}, {502048, 800000, 1}, {1302048, 77, 2}},
                             {}};
  const auto text = record_text(record);
  CHECK(text.starts_with("cairn-epoch-record 3 "));
  const auto back = parse_record(text);
  const auto& chunks = *back.fields.at(0).chunks;
  CHECK(chunks.compression == Compression::shuffle_zstd);
  CHECK(chunks.chunk == Shape{100, 1000});
  CHECK(chunks.chunks.at(0).offset_bytes == 2048);
  CHECK(chunks.chunks.at(1).length_bytes == 800000);
  CHECK(chunks.chunks.at(0).crc == 0xdeadbeef);

  const auto refuses = [&](auto&& change) {
    auto changed = record;
    change(*changed.fields[0].chunks);
    CHECK_THROWS_AS((void)parse_record(record_text(changed)), Error);
  };
  refuses([](ChunksRecord& c) { c.chunks.pop_back(); });
  refuses([](ChunksRecord& c) { c.chunks.push_back({0, 1, 0}); });
  refuses([](ChunksRecord& c) { c.chunks[1].length_bytes = 800001; });
  refuses([](ChunksRecord& c) { c.chunks[1].length_bytes = 0; });
  refuses([](ChunksRecord& c) { c.chunk = {100, 500}; });
  refuses([](ChunksRecord& c) { c.chunk = {300, 1000}; });  // of more than 1 MiB
  refuses([](ChunksRecord& c) { c.tags.resize(3); });
}
