// Writes one epoch of known fields on any number of ranks, for independent readers: write-epoch
// DIRECTORY [none|zstd|lz4|deflate].

#include <cstdio>
#include <filesystem>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/runtime.hpp"

namespace {

/// Bits that no codec makes fewer (splitmix64).
std::uint64_t scrambled(std::uint64_t number) {
  number += 0x9e3779b97f4a7c15;
  number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
  number = (number ^ number >> 27) * 0x94d049bb133111eb;
  return number ^ number >> 31;
}

}  // namespace

int main(int argc, char** argv) {
  const cairn::Runtime runtime(argc, argv);
  const cairn::CartesianGrid grid(runtime.world(), 2);
  const auto rows = grid.range(300, 0);
  const auto columns = grid.range(1000, 1);
  const cairn::ckpt::Block block{
      {300, 1000}, {rows.first, columns.first}, {rows.count, columns.count}};
  std::vector<double> u;
  std::vector<std::int32_t> id;
  std::vector<std::uint64_t> noise;
  for (std::size_t i = 0; i < rows.count; ++i) {
    for (std::size_t j = 0; j < columns.count; ++j) {
      u.push_back(static_cast<double>(rows.first + i) +
                  1e-3 * static_cast<double>(columns.first + j));
      const auto number = (rows.first + i) * 1000 + columns.first + j;
      id.push_back(static_cast<std::int32_t>(number));
      noise.push_back(scrambled(number));
    }
  }
  cairn::ckpt::Checkpointer ckpt(
      runtime.world(), {.directory = argv[1],
                        .program = "write-epoch",
                        .compression = cairn::ckpt::compression_of(argc > 2 ? argv[2] : "none")});
  ckpt.field("u", u, block, {{"units", std::string("K")}, {"time", 0.5}});
  ckpt.field("mesh/id", id, block);
  ckpt.field("noise", noise, block);
  ckpt.save(42);
  cairn::ckpt::export_hdf5(runtime.world(), std::filesystem::path(argv[1]) / "plain.h5", "u", u,
                           block, {{"step", std::int64_t{42}}});
  return 0;
}
