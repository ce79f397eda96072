// Damage of a small epoch: whatever byte is hit, the older epoch is restored instead, or all is
// refused; never wrong data, and always the same verdict on all ranks.

#include <fcntl.h>

#include <fstream>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/core/atomic_file.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/file.hpp"
#include "cairn/core/random.hpp"
#include "fixture.hpp"

using namespace cairn;
using namespace cairn::test;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t n = 20;

/// Two epochs, of fill(1) at step 1 and fill(2) at step 2.
void save_two_epochs(const fs::path& directory) {
  GridField u(world(), n, n);
  ckpt::Checkpointer ckpt(world(), {.directory = directory});
  ckpt.field("u", u.data, u.block);
  for (int step = 1; step <= 2; ++step) {
    u.fill(step);
    ckpt.save(static_cast<std::uint64_t>(step));
  }
}

/// What a restart finds: the step, 0 when all is refused. Checks data, verdicts and warnings.
std::uint64_t restart(const fs::path& directory, int warnings_expected) {
  GridField u(world(), n, n);
  int warnings = 0;
  ckpt::Options options{.directory = directory};
  options.warn = [&](std::string_view) { ++warnings; };
  ckpt::Checkpointer ckpt(world(), options);
  ckpt.field("u", u.data, u.block);
  std::uint64_t step = 0;
  try {
    step = ckpt.restore().value_or(77);
    CHECK(u.holds(static_cast<int>(step)));
  } catch (const Error& error) {
    CHECK(error.agreed());
    CHECK(error.code() == Errc::bad_data);
    CHECK(std::string(error.what()).find("can be restored") != std::string::npos);
  }
  CHECK(all_reduce(world(), step, Minimum{}) == all_reduce(world(), step, Maximum{}));
  if (world().is_root()) CHECK(warnings == warnings_expected);
  return step;
}

void flip(const fs::path& path, std::uint64_t offset, int bit) {
  File file(path, O_RDWR);
  std::byte byte{};
  file.read_at(std::span(&byte, 1), offset);
  byte ^= std::byte{1} << bit;
  file.write_at(std::span(&byte, 1), offset);
}

/// Rank 0 does something to the files; then all go on.
template <typename Work>
void on_root(Work&& work) {
  if (world().is_root()) work();
  barrier(world());
}

}  // namespace

TEST_CASE("a flipped bit anywhere in the newest epoch's files makes the older one count") {
  const SharedDirectory scratch;
  save_two_epochs(scratch.path);
  CHECK(restart(scratch.path, 0) == 2);
  const Random random(static_cast<std::uint64_t>(world().size()));
  const int trials = world().size() == 1 ? 60 : 15;  // other bits on each number of ranks
  std::uint64_t index = 0;
  for (const char* name : {"epoch-0000000002.h5", "epoch-0000000002.record"}) {
    const auto path = scratch.path / name;
    const auto size =
        bcast(world(), static_cast<std::uint64_t>(world().is_root() ? fs::file_size(path) : 0));
    for (int trial = 0; trial < trials; ++trial) {
      const auto offset = random.below(index++, size);
      const int bit = static_cast<int>(random.below(index++, 8));
      on_root([&] { flip(path, offset, bit); });
      CHECK(restart(scratch.path, 1) == 1);
      on_root([&] { flip(path, offset, bit); });
    }
  }
  CHECK(restart(scratch.path, 0) == 2);
}

TEST_CASE("truncated, missing, swapped and foreign files are passed over") {
  const SharedDirectory scratch;
  const auto data_1 = scratch.path / "epoch-0000000001.h5";
  const auto data_2 = scratch.path / "epoch-0000000002.h5";
  const auto record_1 = scratch.path / "epoch-0000000001.record";
  const auto record_2 = scratch.path / "epoch-0000000002.record";
  const auto fresh = [&] {
    on_root([&] { fs::remove_all(scratch.path); });
    save_two_epochs(scratch.path);
  };
  fresh();
  on_root([&] { fs::resize_file(data_2, fs::file_size(data_2) - 1); });
  CHECK(restart(scratch.path, 1) == 1);
  fresh();
  on_root([&] { fs::resize_file(data_2, 0); });
  CHECK(restart(scratch.path, 1) == 1);
  fresh();
  on_root([&] { fs::remove(data_2); });
  CHECK(restart(scratch.path, 1) == 1);
  fresh();
  on_root([&] { fs::resize_file(record_2, fs::file_size(record_2) / 2); });
  CHECK(restart(scratch.path, 1) == 1);
  fresh();
  on_root([&] { fs::copy_file(data_1, data_2, fs::copy_options::overwrite_existing); });
  CHECK(restart(scratch.path, 1) == 1);
  fresh();
  on_root([&] { fs::copy_file(record_1, record_2, fs::copy_options::overwrite_existing); });
  CHECK(restart(scratch.path, 1) == 1);
  fresh();
  on_root([&] { std::ofstream(record_2) << "not ours\n"; });
  CHECK(restart(scratch.path, 1) == 1);
  // A record that was removed: the epoch never was.
  fresh();
  on_root([&] { fs::remove(record_2); });
  CHECK(restart(scratch.path, 0) == 1);
}

TEST_CASE("when no epoch is left to fall back to, all ranks refuse and nothing is removed") {
  const SharedDirectory scratch;
  save_two_epochs(scratch.path);
  on_root([&] {
    flip(scratch.path / "epoch-0000000001.h5", 1 << 12, 0);
    fs::resize_file(scratch.path / "epoch-0000000002.h5", 100);
  });
  CHECK(restart(scratch.path, 2) == 0);
  on_root([&] { CHECK(fs::exists(scratch.path / "epoch-0000000001.record")); });
}

TEST_CASE("after a fall-back the next epoch is newer, and the last good one is kept beside it") {
  const SharedDirectory scratch;
  save_two_epochs(scratch.path);
  on_root([&] { flip(scratch.path / "epoch-0000000002.h5", 4096, 3); });
  {
    GridField u(world(), n, n);
    ckpt::Checkpointer ckpt(world(), {.directory = scratch.path});
    ckpt.field("u", u.data, u.block);
    CHECK(ckpt.restore() == 1);
    u.fill(5);
    ckpt.save(5);
    CHECK(ckpt.epoch() == 3);
  }
  CHECK(restart(scratch.path, 0) == 5);
  on_root([&] { fs::resize_file(scratch.path / "epoch-0000000003.h5", 100); });
  CHECK(restart(scratch.path, 2) == 1);
}

TEST_CASE(
    "files of other names are left alone, and a record of a later format is refused, not passed "
    "over") {
  const SharedDirectory scratch;
  save_two_epochs(scratch.path);
  const auto foreign = scratch.path / "epoch-5-analysis.h5";
  on_root([&] {
    std::ofstream(foreign) << "mine";
    fs::copy_file(scratch.path / "epoch-0000000002.record",
                  scratch.path / "epoch-0000000009.old.record");
  });
  {
    GridField u(world(), n, n);
    ckpt::Checkpointer ckpt(world(), {.directory = scratch.path});
    ckpt.field("u", u.data, u.block);
    CHECK(ckpt.restore() == 2);
    ckpt.save(3);
    CHECK(ckpt.epoch() == 3);
    barrier(world());
    on_root([&] { CHECK(fs::exists(foreign)); });
    on_root([&] {
      auto text = read_file(scratch.path / "epoch-0000000003.record");
      text.replace(text.find(" 1 "), 3, " 5 ");
      write_file_atomically(scratch.path / "epoch-0000000003.record", text);
    });
    try {
      (void)ckpt.restore();
      CHECK(false);
    } catch (const Error& error) {
      CHECK(error.agreed());
      CHECK(error.code() == Errc::usage);
      CHECK(std::string(error.what()).find("use a newer program") != std::string::npos);
    }
  }
}
