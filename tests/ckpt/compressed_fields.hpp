/// Fields for the tests of compression: of all kinds and shapes, each a function of index and seed.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/cartesian.hpp"
#include "fixture.hpp"

namespace cairn::test {

inline std::uint64_t scrambled(std::uint64_t number) {
  number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
  number = (number ^ number >> 27) * 0x94d049bb133111eb;
  return number ^ number >> 31;
}

inline double smooth(std::size_t i, int seed) {
  return seed + std::sin(1e-4 * static_cast<double>(i));
}
inline float rough(std::size_t i, int seed) {
  return static_cast<float>(seed) + static_cast<float>(i % 97);
}
inline std::uint64_t noise(std::size_t i, int seed) {
  return scrambled(i * 1000003 + static_cast<std::uint64_t>(seed));
}

/// An array of any shape whose elements are a function of their index and a seed.
template <typename T>
struct Array {
  using Value = T (*)(std::size_t, int);

  Array(ckpt::Block cut, Value value) : block(std::move(cut)), value_(value) {
    data.resize(ckpt::volume(block.count));
  }

  void fill(int seed) {
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = value_(index(i), seed);
  }
  [[nodiscard]] bool holds(int seed) const {
    for (std::size_t i = 0; i < data.size(); ++i)
      if (data[i] != value_(index(i), seed)) return false;
    return true;
  }

  ckpt::Block block;
  std::vector<T> data;

 private:
  /// Of element `i` of the block, its index in the global array.
  [[nodiscard]] std::size_t index(std::size_t i) const {
    std::size_t result = 0;
    std::size_t stride = 1;
    for (auto axis = block.global.size(); axis-- > 0;) {
      result += (block.offset[axis] + i % block.count[axis]) * stride;
      i /= block.count[axis];
      stride *= block.global[axis];
    }
    return result;
  }
  Value value_;
};

/// Cut over a grid of ranks along all axes.
inline ckpt::Block on_grid(const Communicator& comm, const ckpt::Shape& global) {
  const CartesianGrid grid(comm, static_cast<int>(global.size()));
  ckpt::Block block{global, {}, {}};
  for (std::size_t axis = 0; axis < global.size(); ++axis) {
    const auto range = grid.range(global[axis], static_cast<int>(axis));
    block.offset.push_back(range.first);
    block.count.push_back(range.count);
  }
  return block;
}

/// Everything on the last rank but one row; most ranks hold nothing.
inline ckpt::Block lopsided(const Communicator& comm, std::size_t n) {
  const bool is_last = comm.rank() == comm.size() - 1;
  if (comm.size() == 1) return {{n}, {0}, {n}};
  if (comm.is_root()) return {{n}, {0}, {1}};
  return {{n}, {is_last ? std::size_t{1} : n}, {is_last ? n - 1 : 0}};
}

/// Fields of all kinds and shapes, larger than a chunk and much smaller.
struct Fields {
  explicit Fields(const Communicator& comm)
      : grid(comm, 500, 400),
        line(lopsided(comm, 150001), smooth),
        cube(on_grid(comm, {70, 60, 90}), rough),
        wide(on_grid(comm, {3, 150000}), smooth),
        wild(on_grid(comm, {200000}), noise),
        tiny(on_grid(comm, {5}), smooth),
        none(on_grid(comm, {0, 4}), smooth) {
    for (std::size_t row = comm.size() - 1 - comm.rank(); row < 999; row += comm.size())
      numbers.push_back((row * 7) % 999);
    rows.resize(numbers.size() * 100);
    particles.resize(1000 * static_cast<std::size_t>(comm.rank() + 1));
    blobs.assign(1, ckpt::Blob(9000, std::byte{7}));
  }

  void add_to(ckpt::Checkpointer& ckpt) {
    ckpt.field("grid", grid.data, grid.block, {{"units", std::string("K")}});
    ckpt.field("line", line.data, line.block);
    ckpt.field("plain", cube.data, cube.block, ckpt::Compression::none);
    ckpt.field("cube", cube.data, cube.block);
    ckpt.field("wide", wide.data, wide.block);
    ckpt.field("wild", wild.data, wild.block);
    ckpt.field("tiny", tiny.data, tiny.block);
    ckpt.field("none", none.data, none.block);
    ckpt.rows("rows", rows, {999, numbers, 100});
    ckpt.elements("particles", particles);
    ckpt.blobs("blobs", blobs);
    ckpt.value("seed", seed);
  }

  void fill(int s) {
    seed = s;
    grid.fill(s);
    line.fill(s);
    cube.fill(s);
    wide.fill(s);
    wild.fill(s);
    tiny.fill(s);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = row_value(i);
    for (auto& particle : particles) particle = s;
  }

  [[nodiscard]] bool hold(int s) {
    bool good = seed == s && grid.holds(s) && line.holds(s) && cube.holds(s) && wide.holds(s) &&
                wild.holds(s) && tiny.holds(s);
    for (std::size_t i = 0; i < rows.size(); ++i) good = good && rows[i] == row_value(i);
    for (const auto particle : particles) good = good && particle == s;
    for (const auto& blob : blobs) good = good && blob == ckpt::Blob(9000, std::byte{7});
    return good;
  }

  [[nodiscard]] double row_value(std::size_t i) const {
    return smooth(numbers[i / 100] * 100 + i % 100, seed);
  }

  int seed = 0;
  GridField grid;
  Array<double> line;
  Array<float> cube;
  Array<double> wide;
  Array<std::uint64_t> wild;
  Array<double> tiny;
  Array<double> none;
  std::vector<std::size_t> numbers;
  std::vector<double> rows;
  std::vector<std::int32_t> particles;
  std::vector<ckpt::Blob> blobs;
};

}  // namespace cairn::test
