// With Pieces::changed an epoch that is written over a retired one writes the changed pieces alone,
// and is whole all the same.

#include <algorithm>
#include <cerrno>
#include <numeric>

#include "cairn/collectives/cartesian.hpp"
#include "cairn/core/error.hpp"
#include "file_calls.hpp"
#include "fixture.hpp"

using namespace cairn;
using namespace cairn::test;
namespace fs = std::filesystem;

namespace {

using ckpt::Options;

constexpr std::size_t piece_numbers = (1 << 20) / sizeof(double);

/// A line of numbers cut over the ranks, three pieces and a bit on each, and one value.
struct Program {
  explicit Program(const fs::path& path, Options options = {})
      : mine(block_range(n(), world().size(), world().rank())),
        u(mine.count),
        directory(path),
        ckpt(world(), with(options, path)) {
    std::iota(u.begin(), u.end(), static_cast<double>(mine.first));
    ckpt.field("u", u, {{n()}, {mine.first}, {mine.count}});
    ckpt.value("x", x);
  }
  static std::size_t n() {
    return static_cast<std::size_t>(world().size()) * (3 * piece_numbers + 100);
  }
  static Options with(Options options, const fs::path& directory) {
    options.directory = directory;
    options.pieces = Options::Pieces::changed;
    return options;
  }

  /// Saves, and counts the pieces that this rank writes into the new data file. Rank 0 also writes
  /// HDF5's structure there, in one go.
  std::size_t writes_of_save(std::uint64_t step) {
    const FileCalls calls(directory);
    ckpt.save(step);
    ckpt.wait();
    const auto all = calls.calls();
    const auto writes = std::count_if(all.begin(), all.end(), [](const auto& call) {
      return call.function == "pwrite" && call.name.starts_with("epoch-") &&
             call.name.ends_with(".h5.tmp");
    });
    return static_cast<std::size_t>(writes) - (world().is_root() ? 1 : 0);
  }

  AxisRange mine;
  std::vector<double> u;
  double x = 0;
  fs::path directory;
  ckpt::Checkpointer ckpt;
};

/// Whether a restart finds these numbers on all ranks.
bool restores(const fs::path& directory, std::uint64_t step, const std::vector<double>& u) {
  Program program(directory);
  std::fill(program.u.begin(), program.u.end(), -1);
  const bool good = program.ckpt.restore() == step && program.u == u;
  return all_reduce(world(), good ? 1 : 0, Minimum{}) == 1;
}

}  // namespace

TEST_CASE("only changed pieces are written, and every epoch is whole") {
  for (const auto mode : {Options::Mode::sync, Options::Mode::async}) {
    const SharedDirectory scratch;
    std::vector<double> last;
    std::uint64_t step = 0;
    {
      Program program(scratch.path, {.mode = mode});
      for (step = 1; step <= 3; ++step) CHECK(program.writes_of_save(step) >= 4);  // new files
      for (; step <= 5; ++step) {  // over those of steps 1 and 2, from which nothing differs
        program.x += 1;
        CHECK(program.writes_of_save(step) == 0);
      }
      program.u[piece_numbers + 7] += 0.5;  // one number of the second piece
      for (; step <= 8; ++step) CHECK(program.writes_of_save(step) == 1);  // once in each of three
      CHECK(program.writes_of_save(step) == 0);
      ++step;
      if (world().rank() == 0) program.u.back() = -0.0;
      CHECK(program.writes_of_save(step) == (world().rank() == 0 ? 1 : 0));
      last = program.u;
    }
    CHECK(restores(scratch.path, step, last));
  }
}

TEST_CASE("a new launch knows nothing of the files, and writes all pieces") {
  const SharedDirectory scratch;
  std::vector<double> last;
  for (int launch = 0; launch < 2; ++launch) {
    Program program(scratch.path);
    (void)program.ckpt.restore();
    for (std::uint64_t step = 1; step <= 2; ++step)
      CHECK(program.writes_of_save(10 * static_cast<std::uint64_t>(launch) + step) >= 4);
    last = program.u;
  }
  CHECK(restores(scratch.path, 12, last));
}

TEST_CASE("after a failed save nothing is taken for written that is not") {
  const SharedDirectory scratch;
  std::vector<double> last;
  {
    Program program(scratch.path, {.on_error = Options::OnError::go_on});
    for (std::uint64_t step = 1; step <= 4; ++step) program.ckpt.save(step);
    for (auto& number : program.u) number += 1;
    {
      FileCalls calls(scratch.path);
      if (world().rank() == world().size() - 1) calls.fail(2, EIO);
      program.ckpt.save(5);  // fails when some pieces are written
    }
    for (std::uint64_t step = 6; step <= 9; ++step) {
      program.u[0] += 1;
      program.ckpt.save(step);
    }
    last = program.u;
  }
  CHECK(restores(scratch.path, 9, last));
}

TEST_CASE("another cut or another size of a field is another piece") {
  const SharedDirectory scratch;
  std::vector<double> elements;
  ckpt::Checkpointer ckpt(world(), Program::with({}, scratch.path));
  ckpt.elements("e", elements);
  for (std::uint64_t step = 1; step <= 13; ++step) {
    // Grows and shrinks while its numbers stay, so that the same ones come to stand elsewhere.
    const auto rank = static_cast<std::uint64_t>(world().rank());
    elements.resize((step * step + step * rank) % 4 % 3 * piece_numbers);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const auto piece = i / piece_numbers;
      elements[i] = static_cast<double>(rank * 10 + piece);
    }
    ckpt.save(step);
    const auto before = elements;
    Parts<double> all;
    all_gather_v(world(), before, all);
    const std::vector<double> expected(all.values().begin(), all.values().end());
    elements.clear();
    CHECK(ckpt.restore() == step);
    Parts<double> restored;
    all_gather_v(world(), elements, restored);
    CHECK(std::equal(expected.begin(), expected.end(), restored.values().begin(),
                     restored.values().end()));
    elements = before;
  }
}
