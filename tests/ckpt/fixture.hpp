/// A scratch directory that all ranks share, and a field whose every element is known.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "mpi_test.hpp"

namespace cairn::test {

/// Made by rank 0, the same on all ranks, removed at the end.
class SharedDirectory {
 public:
  SharedDirectory() {
    std::string name;
    if (world().is_root()) {
      name = (std::filesystem::temp_directory_path() /
              ("cairn-ckpt-test-" + std::to_string(::getpid())))
                 .string();
      std::filesystem::remove_all(name);
    }
    bcast(world(), into(name));
    path = name;
  }
  ~SharedDirectory() {
    barrier(world());
    if (world().is_root()) std::filesystem::remove_all(path);
    barrier(world());
  }
  SharedDirectory(const SharedDirectory&) = delete;
  SharedDirectory& operator=(const SharedDirectory&) = delete;

  std::filesystem::path path;
};

/// Runs `work(comm)` on the first `ranks` ranks of the world.
template <typename Work>
void on_ranks(int ranks, Work&& work) {
  const bool takes_part = world().rank() < ranks;
  const auto comm = world().split(takes_part ? 0 : 1);
  if (takes_part) work(comm);
  barrier(world());
}

/// A 2-D array cut over a grid of ranks, with one ghost layer; element (i, j) is a function of i, j
/// and a seed.
class GridField {
 public:
  static constexpr double ghost = -1;

  GridField(const Communicator& comm, std::size_t n, std::size_t m) {
    const CartesianGrid grid(comm, 2);
    const auto rows = grid.range(n, 0);
    const auto columns = grid.range(m, 1);
    block = {{n, m}, {rows.first, columns.first}, {rows.count, columns.count}, 1};
    data.assign(ckpt::memory_volume(block), ghost);
  }

  static double expected(std::size_t i, std::size_t j, int seed) {
    return seed + static_cast<double>(i) * 1000.25 + static_cast<double>(j);
  }

  void fill(int seed) {
    for_interior(
        [&](double& value, std::size_t i, std::size_t j) { value = expected(i, j, seed); });
  }

  void clear() { std::fill(data.begin(), data.end(), ghost); }

  /// True if the interior is that of fill(seed) and no ghost was touched.
  [[nodiscard]] bool holds(int seed) {
    std::size_t wrong = 0;
    std::size_t ghosts = data.size() - ckpt::volume(block.count);
    for_interior([&](double& value, std::size_t i, std::size_t j) {
      wrong += value != expected(i, j, seed);
    });
    for (const double value : data) ghosts -= value == ghost;
    return wrong == 0 && ghosts == 0;
  }

  ckpt::Block block;
  std::vector<double> data;

 private:
  template <typename Visit>
  void for_interior(Visit&& visit) {
    const auto width = block.count[1] + 2;
    for (std::size_t i = 0; i < block.count[0]; ++i) {
      for (std::size_t j = 0; j < block.count[1]; ++j) {
        visit(data[(i + 1) * width + j + 1], block.offset[0] + i, block.offset[1] + j);
      }
    }
  }
};

}  // namespace cairn::test
