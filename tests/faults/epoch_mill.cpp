// Saves epochs as fast as it can, and says what it knows of them: epoch-mill DIRECTORY PROGRESS
// MODE EPOCHS.
//
// It restores first and compares with what the step says. Rank 0 adds to the file PROGRESS a line
// "restored STEP" (0: nothing was there), then "committed STEP" as soon as it knows.

#include <cstdlib>
#include <fstream>
#include <string>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/runtime.hpp"
#include "cairn/core/error.hpp"

namespace {

constexpr std::size_t elements = 40000;  // of a rank

struct Field {
  explicit Field(const cairn::Communicator& comm)
      : first(elements * static_cast<std::size_t>(comm.rank())),
        block{{elements * static_cast<std::size_t>(comm.size())}, {first}, {elements}},
        data(elements) {}

  [[nodiscard]] double at(std::size_t i, std::uint64_t step) const {
    return static_cast<double>((first + i) * 7 + step * 1000003);
  }
  void fill(std::uint64_t step) {
    saved = step;
    for (std::size_t i = 0; i < elements; ++i) data[i] = at(i, step);
  }
  [[nodiscard]] bool holds(std::uint64_t step) const {
    for (std::size_t i = 0; i < elements; ++i) {
      if (data[i] != at(i, step)) return false;
    }
    return saved == step;
  }

  std::size_t first;
  cairn::ckpt::Block block;
  std::vector<double> data;
  std::uint64_t saved = 0;  // a value: the step
};

int run(const cairn::Communicator& comm, char** arguments) {
  std::ofstream progress;
  if (comm.is_root()) progress.open(arguments[2], std::ios::app);
  const auto epochs = std::strtoull(arguments[4], nullptr, 10);
  Field u(comm);
  cairn::ckpt::Checkpointer ckpt(
      comm, {.directory = arguments[1], .mode = cairn::ckpt::mode_of(arguments[3])});
  ckpt.field("u", u.data, u.block);
  ckpt.value("saved", u.saved);

  std::uint64_t step = ckpt.restore().value_or(0);
  const int good = step == 0 || u.holds(step) ? 1 : 0;
  if (cairn::all_reduce(comm, good, cairn::Minimum{}) == 0) return EXIT_FAILURE;
  progress << "restored " << step << std::endl;
  auto known = ckpt.epoch();
  for (std::uint64_t last = step + epochs, on_its_way = step; step < last;) {
    u.fill(++step);
    ckpt.save(step);
    if (ckpt.epoch() != known)
      progress << "committed " << (arguments[3] == std::string("sync") ? step : on_its_way)
               << std::endl;
    known = ckpt.epoch();
    on_its_way = step;
  }
  ckpt.wait();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const cairn::Runtime runtime(argc, argv);
  if (argc != 5) return static_cast<int>(cairn::Errc::usage);
  try {
    return run(runtime.world(), argv);
  } catch (const cairn::Error& error) {
    if (runtime.world().is_root()) std::fprintf(stderr, "epoch-mill: %s\n", error.what());
    if (!error.agreed()) throw;
    return error.exit_code();
  }
}
