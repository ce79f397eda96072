// An epoch is written over the data file of a retired one.

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <optional>

#include "cairn/core/file.hpp"
#include "fixture.hpp"

using namespace cairn;
using namespace cairn::test;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t rows = 300;
constexpr std::size_t columns = 700;  // 1.6 MiB: the dataset is aligned

fs::path data_file(const fs::path& directory, int epoch) {
  return directory / ("epoch-000000000" + std::to_string(epoch) + ".h5");
}

/// Files of rank 0's view; 0 for none.
ino_t inode_of(const fs::path& path) {
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

/// A Checkpointer with one field, which holds its step.
struct Job {
  Job(const Communicator& comm, const fs::path& directory, std::size_t n = rows)
      : u(comm, n, columns), ckpt(comm, {.directory = directory}) {
    ckpt.field("u", u.data, u.block);
  }
  void save(int step) {
    u.fill(step);
    ckpt.save(static_cast<std::uint64_t>(step));
  }

  GridField u;
  ckpt::Checkpointer ckpt;
};

/// The newest epoch is that of `step`, bit for bit.
void check_newest(const Communicator& comm, const fs::path& directory, int step,
                  std::size_t n = rows) {
  Job job(comm, directory, n);
  CHECK(job.ckpt.restore() == static_cast<std::uint64_t>(step));
  CHECK(job.u.holds(step));
}

void write_file(const fs::path& path, std::size_t bytes) {
  std::ofstream(path) << std::string(bytes, 'x');
}

}  // namespace

TEST_CASE("the fourth epoch lies in the blocks of the first, and no spare is left") {
  const SharedDirectory scratch;
  const auto& comm = world();
  {
    Job job(comm, scratch.path);
    job.save(1);
    const auto first = inode_of(data_file(scratch.path, 1));
    CHECK(first != 0);
    barrier(comm);
    job.save(2);
    job.save(3);
    barrier(comm);
    CHECK(inode_of(scratch.path / "spare.h5") == first);
    barrier(comm);
    job.save(4);
    barrier(comm);
    CHECK(inode_of(data_file(scratch.path, 4)) == first);
    CHECK(fs::file_size(data_file(scratch.path, 4)) == fs::file_size(data_file(scratch.path, 3)));
    barrier(comm);
    job.save(5);
  }
  barrier(comm);
  CHECK_FALSE(fs::exists(scratch.path / "spare.h5"));
  check_newest(comm, scratch.path, 5);
}

TEST_CASE("a hard link of a retired epoch keeps its bytes") {
  const SharedDirectory scratch;
  const auto& comm = world();
  const auto copy = scratch.path / "mine.h5";
  std::string before;
  {
    Job job(comm, scratch.path);
    job.save(1);
    if (comm.is_root()) {
      fs::create_hard_link(data_file(scratch.path, 1), copy);
      before = read_file(copy);
    }
    for (int step = 2; step <= 5; ++step) job.save(step);
    barrier(comm);
    CHECK(inode_of(data_file(scratch.path, 4)) != inode_of(copy));
  }
  if (comm.is_root()) CHECK((read_file(copy) == before));
  check_newest(comm, scratch.path, 5);
}

TEST_CASE("who opens the spare at any moment does no harm") {
  const SharedDirectory scratch;
  const auto& comm = world();
  const auto spare = scratch.path / "spare.h5";
  const pid_t reader = comm.is_root() ? ::fork() : 0;
  CHECK(reader >= 0);
  if (comm.is_root() && reader == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) ::close(::open(spare.c_str(), O_RDONLY | O_NONBLOCK));
  }
  {
    Job job(comm, scratch.path, 8);
    for (int step = 1; step <= 100; ++step) job.save(step);
  }
  if (reader > 0) {
    ::kill(reader, SIGKILL);
    ::waitpid(reader, nullptr, 0);
  }
  check_newest(comm, scratch.path, 100, 8);
}

TEST_CASE("a retired epoch that another process reads keeps its bytes") {
  const auto& comm = world();
  if (comm.size() < 2) return;
  const SharedDirectory scratch;
  std::optional<Job> job(std::in_place, comm, scratch.path);
  job->save(1);
  const bool is_reader = comm.rank() == 1;
  std::optional<File> file;
  std::vector<std::byte> before;
  const auto contents = [&] {
    std::vector<std::byte> bytes(file->size_bytes());
    file->read_at(bytes, 0);
    return bytes;
  };
  if (is_reader) {
    file.emplace(data_file(scratch.path, 1), O_RDONLY);
    before = contents();
  }
  barrier(comm);
  for (int step = 2; step <= 4; ++step) job->save(step);
  job.reset();
  if (is_reader) CHECK((contents() == before));
  barrier(comm);
  check_newest(comm, scratch.path, 4);
}

TEST_CASE("a spare of another size, or that is none, is made to fit or removed") {
  const auto& comm = world();
  for (const std::size_t bytes : {0, 1000, 1 << 20, 20 << 20}) {
    const SharedDirectory scratch;
    if (comm.is_root()) {
      fs::create_directories(scratch.path);
      write_file(scratch.path / "spare.h5", bytes);
    }
    const auto spare = inode_of(scratch.path / "spare.h5");
    barrier(comm);
    Job(comm, scratch.path).save(1);
    barrier(comm);
    if (comm.is_root()) CHECK(inode_of(data_file(scratch.path, 1)) == spare);
    CHECK(fs::file_size(data_file(scratch.path, 1)) < (4U << 20));
    check_newest(comm, scratch.path, 1);
  }
  const SharedDirectory scratch;
  if (comm.is_root()) {
    fs::create_directories(scratch.path);
    write_file(scratch.path / "victim", 1000);
    fs::create_symlink(scratch.path / "victim", scratch.path / "spare.h5");
  }
  Job(comm, scratch.path).save(1);
  if (comm.is_root()) CHECK(read_file(scratch.path / "victim") == std::string(1000, 'x'));
  check_newest(comm, scratch.path, 1);
}
