// What a Checkpointer makes is its owner's alone, and no link leads it to other files.

#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "cairn/core/error.hpp"
#include "cairn/core/file.hpp"
#include "data_file.hpp"
#include "fixture.hpp"
#include "record.hpp"
#include "scratch.hpp"
#include "store.hpp"

using namespace cairn;
using namespace cairn::test;
namespace fs = std::filesystem;

namespace {

struct Job {
  explicit Job(const fs::path& directory)
      : u(world(), 8, 6),
        ckpt(world(), {.directory = directory, .signals = ckpt::Options::Signals::leave_alone}) {
    ckpt.field("u", u.data, u.block);
  }
  void save(int step) {
    u.fill(step);
    ckpt.save(static_cast<std::uint64_t>(step));
  }

  GridField u;
  ckpt::Checkpointer ckpt;
};

unsigned mode_of(const fs::path& path) {
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0U;
}

/// Another umask while it lives.
class Umask {
 public:
  explicit Umask(mode_t mask) : before_(::umask(mask)) {}
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;
  ~Umask() { ::umask(before_); }

 private:
  mode_t before_;
};

const std::string treasure = "somebody else's bytes";

}  // namespace

TEST_CASE("directory and files are the owner's alone, however wide the umask") {
  const SharedDirectory scratch;
  const Umask wide(0);
  const auto directory = scratch.path / "above" / "ckpt";
  Job job(directory / "");  // with a slash at its end
  const auto check_modes = [&] {
    barrier(world());
    CHECK(mode_of(directory) == 0700);
    for (const auto& entry : fs::directory_iterator(directory)) {
      CAPTURE(entry.path());
      CHECK(mode_of(entry.path()) == 0600);
    }
    barrier(world());
  };
  for (int step = 1; step <= 3; ++step) job.save(step);
  check_modes();
  CHECK(mode_of(directory / "spare.h5") == 0600);
  CHECK(mode_of(scratch.path / "above") == 0777);
  barrier(world());
  // Whom the owner lets read one epoch is not let read those that are written over it.
  if (world().is_root()) ::chmod((directory / "spare.h5").c_str(), 0644);
  job.save(4);
  check_modes();
}

TEST_CASE("a directory that was there keeps its mode, and an epoch that its owner opened too") {
  const SharedDirectory scratch;
  const auto directory = scratch.path / "shared";
  if (world().is_root()) {
    fs::create_directories(directory);
    ::chmod(directory.c_str(), 0750);
  }
  barrier(world());
  Job job(directory);
  job.save(1);
  if (world().is_root()) ::chmod((directory / "epoch-0000000001.h5").c_str(), 0640);
  job.save(2);
  barrier(world());
  CHECK(mode_of(directory) == 0750);
  CHECK(mode_of(directory / "epoch-0000000001.h5") == 0640);
  CHECK(job.ckpt.restore() == 2);
}

TEST_CASE("links in the place of the store's files are not written through") {
  const SharedDirectory scratch;
  const auto victim = scratch.path / "victim";
  const auto directory = scratch.path / "ckpt";
  const auto names = {"epoch-0000000001.h5",         "epoch-0000000001.h5.tmp",
                      "epoch-0000000001.record.tmp", "epoch-0000000002.h5",
                      "epoch-0000000002.h5.tmp",     "spare.h5"};
  for (const auto* name : names) {
    if (world().is_root()) {
      fs::remove_all(directory);
      fs::create_directories(directory);
      std::ofstream(victim) << treasure;
      fs::create_symlink(victim, directory / name);
    }
    barrier(world());
    Job job(directory);
    for (int step = 1; step <= 5; ++step) job.save(step);
    CHECK(job.ckpt.restore() == 5);
    CHECK(job.u.holds(5));
    if (world().is_root()) CHECK(read_file(victim) == treasure);
    barrier(world());
  }
}

TEST_CASE("a lock that is a link is refused") {
  const SharedDirectory scratch;
  if (world().is_root()) {
    fs::create_directories(scratch.path);
    fs::create_symlink(scratch.path / "elsewhere", scratch.path / "lock");
  }
  barrier(world());
  CHECK_THROWS_AS(Job{scratch.path}, Error);
  CHECK_FALSE(fs::exists(scratch.path / "elsewhere"));
  barrier(world());
}

TEST_CASE("a link that comes between is not followed either") {
  if (!world().is_root()) return;
  const Scratch scratch;
  const auto victim = scratch.file("victim", treasure);
  const ckpt::EpochStore store(scratch / "ckpt", ckpt::Access{});
  const std::vector<ckpt::DatasetPlan> plans{{"u", ckpt::ScalarType::float64, {4}, {}}};
  const auto data = store.temporary_data_path(1);
  fs::create_symlink(victim, data);
  CHECK_THROWS_AS(
      (void)ckpt::create_data_file(data, plans, {}, ckpt::Blocks::sparse, ckpt::Readers::owner),
      Error);
  fs::remove(data);
  fs::create_symlink(victim, store.temporary_record_path(1));
  ckpt::EpochRecord record;
  record.epoch = 1;
  CHECK_THROWS_AS(store.publish(record), Error);
  CHECK(bytes_of(victim) == treasure);
}

TEST_CASE("a record that names data elsewhere is refused, though its digest is right") {
  const SharedDirectory scratch;
  const auto directory = scratch.path / "ckpt";
  {
    Job job(directory);
    job.save(1);
    job.save(2);
  }
  for (const std::string name : {"../outside.h5", "/etc/passwd", "epoch-0000000001.h5", "", "..",
                                 "sub/epoch-0000000002.h5"}) {
    barrier(world());
    if (world().is_root()) {
      const auto path = directory / "epoch-0000000002.record";
      auto record = ckpt::parse_record(read_file(directory / "epoch-0000000001.record"));
      record.epoch = 2;
      record.data_file = name;
      fs::copy_file(directory / "epoch-0000000001.h5", scratch.path / "outside.h5",
                    fs::copy_options::overwrite_existing);
      std::ofstream(path) << ckpt::record_text(record);
    }
    barrier(world());
    Job job(directory);
    CHECK(job.ckpt.restore() == 1);
    CHECK(job.ckpt.epoch() == 1);  // the other has its step
    CHECK(job.u.holds(1));
  }
}
