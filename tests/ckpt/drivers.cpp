// Other ways to write the same bytes: MPI-IO, and past the page cache.

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/core/file.hpp"
#include "fixture.hpp"

using namespace cairn;
using namespace cairn::test;

namespace {

using ckpt::Options;

/// Blocks of several pieces with short rows, an array of small integers, and elements of which some
/// ranks have none.
struct Program {
  Program(const std::filesystem::path& directory, Options options) : u(world(), 700, 900) {
    options.directory = directory;
    ckpt.emplace(world(), options);
    const auto range = block_range(1001, world().size(), world().rank());
    bytes.resize(range.count * 3);
    ckpt->field("u", u.data, u.block);
    ckpt->field("b", bytes, {{1001, 3}, {range.first, 0}, {range.count, 3}});
    ckpt->elements("e", elements, 2);
    ckpt->value("x", x);
  }
  void fill(int seed) {
    u.fill(seed);
    std::iota(bytes.begin(), bytes.end(), static_cast<std::int8_t>(seed));
    elements.assign(world().is_root() ? 6 : 0, seed);
    x = seed;
  }
  [[nodiscard]] bool holds(int seed) {
    auto expected = bytes;
    std::iota(expected.begin(), expected.end(), static_cast<std::int8_t>(seed));
    const bool all_elements = std::all_of(elements.begin(), elements.end(),
                                          [&](double element) { return element == seed; });
    return u.holds(seed) && bytes == expected && all_elements && x == seed &&
           all_reduce(world(), elements.size(), Sum{}) == 6;
  }

  GridField u;
  std::vector<std::int8_t> bytes;
  std::vector<double> elements;
  double x = 0;
  std::optional<ckpt::Checkpointer> ckpt;
};

std::string data_of(const std::filesystem::path& directory, int epoch) {
  return read_file(directory / ("epoch-000000000" + std::to_string(epoch) + ".h5"));
}

}  // namespace

TEST_CASE("every way leaves the same bytes, and they are restored") {
  const SharedDirectory scratch;
  const std::vector<std::pair<std::string, Options>> ways{
      {"cached", {.direct = Options::Direct::off}},
      {"direct", {.direct = Options::Direct::on}},
      {"mpio", {.driver = Options::Driver::mpio}}};
  for (const auto& [name, options] : ways) {
    Program program(scratch.path / name, options);
    for (int step = 1; step <= 5; ++step) {  // new files, and written over retired ones
      program.fill(step);
      program.ckpt->save(static_cast<std::uint64_t>(step));
    }
    program.fill(0);
    CHECK(program.ckpt->restore() == 5);
    CHECK(program.holds(5));
  }
  for (const int epoch : {4, 5}) {
    for (const std::string way : {"direct", "mpio"})
      CHECK(data_of(scratch.path / way, epoch) == data_of(scratch.path / "cached", epoch));
  }
}

TEST_CASE("MPI-IO: a failure of one rank is an agreed error, and the older epoch stays") {
  const SharedDirectory scratch;
  const auto last = std::to_string(world().size() - 1);
  for (const std::string point : {"ckpt.data.open", "ckpt.data.write", "ckpt.data.sync"}) {
    Program program(scratch.path / point, {.driver = Options::Driver::mpio});
    program.fill(1);
    program.ckpt->save(1);
    program.fill(2);
    arm_failpoints(point + "=EIO,rank=" + last, world().rank(), 0);
    try {
      program.ckpt->save(2);
      FAIL("no error");
    } catch (const Error& error) {
      CHECK(error.agreed());
    }
    arm_failpoints("", world().rank(), 0);
    CHECK(program.ckpt->restore() == 1);
    CHECK(program.holds(1));
    program.fill(3);
    program.ckpt->save(3);
    program.fill(0);
    CHECK(program.ckpt->restore() == 3);
    CHECK(program.holds(3));
  }
}

TEST_CASE("MPI-IO in the background is refused") {
  const SharedDirectory scratch;
  CHECK_THROWS_AS(ckpt::Checkpointer(world(), {.directory = scratch.path,
                                               .mode = Options::Mode::async,
                                               .driver = Options::Driver::mpio}),
                  Error);
}
