// Writes one epoch of a known field on any number of ranks, for independent readers: write-epoch
// DIRECTORY.

#include <cstdio>
#include <filesystem>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/runtime.hpp"

int main(int argc, char** argv) {
  const cairn::Runtime runtime(argc, argv);
  const cairn::CartesianGrid grid(runtime.world(), 2);
  const auto rows = grid.range(300, 0);
  const auto columns = grid.range(1000, 1);
  const cairn::ckpt::Block block{
      {300, 1000}, {rows.first, columns.first}, {rows.count, columns.count}};
  std::vector<double> u;
  std::vector<std::int32_t> id;
  for (std::size_t i = 0; i < rows.count; ++i) {
    for (std::size_t j = 0; j < columns.count; ++j) {
      u.push_back(static_cast<double>(rows.first + i) +
                  1e-3 * static_cast<double>(columns.first + j));
      id.push_back(static_cast<std::int32_t>((rows.first + i) * 1000 + columns.first + j));
    }
  }
  cairn::ckpt::Checkpointer ckpt(runtime.world(), {.directory = argv[1], .program = "write-epoch"});
  ckpt.field("u", u, block, {{"units", std::string("K")}, {"time", 0.5}});
  ckpt.field("mesh/id", id, block);
  ckpt.save(42);
  cairn::ckpt::export_hdf5(runtime.world(), std::filesystem::path(argv[1]) / "plain.h5", "u", u,
                           block, {{"step", std::int64_t{42}}});
  return 0;
}
