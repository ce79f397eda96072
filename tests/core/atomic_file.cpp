#include "cairn/core/atomic_file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iterator>

#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/core/file.hpp"
#include "scratch.hpp"

using namespace cairn;
namespace fs = std::filesystem;

namespace {

std::ptrdiff_t files_in(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

Errc code_of(const fs::path& path) {
  try {
    AtomicFile file(path);
  } catch (const Error& error) {
    return error.code();
  }
  return Errc::internal;
}

}  // namespace

TEST_CASE("the old content stays until commit, and without commit for good") {
  const test::Scratch scratch;
  const std::string path = scratch.file("out", "old");
  {
    AtomicFile file(path);
    file.write("never ");
    file.write("seen");
    CHECK(test::bytes_of(path) == "old");
  }
  CHECK(test::bytes_of(path) == "old");
  CHECK(files_in(scratch.path()) == 1);
  AtomicFile file(path);
  file.write("ne");
  file.write("w");
  file.commit();
  CHECK(test::bytes_of(path) == "new");
  CHECK(files_in(scratch.path()) == 1);
}

TEST_CASE("a link is followed, a new file obeys the umask, two writers do not meet") {
  const test::Scratch scratch;
  fs::create_directory(scratch / "far");
  const std::string real = scratch.file("far/real", "old");
  fs::create_symlink("far/real", scratch / "link");
  AtomicFile first(scratch / "link");
  AtomicFile second(scratch / "far/other");
  first.write("1");
  second.write("2");
  second.commit();
  first.commit();
  CHECK(fs::is_symlink(scratch / "link"));
  CHECK(test::bytes_of(real) == "1");
  CHECK(test::bytes_of(scratch / "far/other") == "2");
  const mode_t mask = umask(0);
  umask(mask);
  CHECK(fs::status(real).permissions() == static_cast<fs::perms>(0666 & ~mask));
}

TEST_CASE("a link to what is not there yet makes that, and what is replaced keeps its mode") {
  const test::Scratch scratch;
  fs::create_directory(scratch / "far");
  fs::create_symlink("far/made", scratch / "link");
  for (const char* const text : {"1", "2"}) {
    write_file_atomically(scratch / "link", text);
    CHECK(fs::is_symlink(scratch / "link"));
    CHECK(test::bytes_of(scratch / "far/made") == text);
    fs::permissions(scratch / "far/made", static_cast<fs::perms>(0640));
  }
  write_file_atomically(scratch / "far/made", "3");
  CHECK(fs::status(scratch / "far/made").permissions() == static_cast<fs::perms>(0640));
  // One that is for reading alone, too; other processes write what replaces it meanwhile.
  fs::permissions(scratch / "far/made", static_cast<fs::perms>(0440));
  {
    AtomicFile file(scratch / "far/made");
    CHECK(fs::status(file.temporary()).permissions() == static_cast<fs::perms>(0640));
    file.write("4");
    file.commit();
  }
  CHECK(test::bytes_of(scratch / "far/made") == "4");
  CHECK(fs::status(scratch / "far/made").permissions() == static_cast<fs::perms>(0440));
  fs::create_symlink("loop", scratch / "loop");
  CHECK(code_of(scratch / "loop") == Errc::input_output);
}

TEST_CASE("a pipe that has only the name of a descriptor is written") {
  int ends[2] = {-1, -1};
  REQUIRE(pipe(ends) == 0);
  write_file_atomically("/proc/self/fd/" + std::to_string(ends[1]), "xy");
  char bytes[3] = "";
  CHECK(read(ends[0], bytes, 2) == 2);
  CHECK(std::string(bytes) == "xy");
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("a file that has the name of a descriptor is written where that stands") {
  const test::Scratch scratch;
  const std::string path = scratch.file("out", "");
  const int descriptor = open(path.c_str(), O_WRONLY);
  REQUIRE(descriptor >= 0);
  fs::create_symlink("/dev/fd/" + std::to_string(descriptor), scratch / "link");
  CHECK(open_descriptor(scratch / "link") == descriptor);
  CHECK(open_descriptor(path) == -1);
  CHECK(open_descriptor("/dev/fd/") == -1);
  CHECK(write(descriptor, "header ", 7) == 7);
  write_file_atomically(scratch / "link", "text ");
  CHECK(write(descriptor, "footer", 6) == 6);
  CHECK(test::bytes_of(path) == "header text footer");
  CHECK_THROWS_AS(expect_replaceable(scratch / "link"), Error);
  close(descriptor);
}

TEST_CASE("a device is written, not replaced") {
  AtomicFile file("/dev/null");
  file.write("x");
  file.commit();
  CHECK(fs::is_character_file("/dev/null"));
}

TEST_CASE(
    "what a killed writer left is removed by the next one in the folder, what is in use is not") {
  const test::Scratch scratch;
  const auto strays = [&] {
    std::ptrdiff_t count = 0;
    for (const auto& entry : fs::directory_iterator(scratch.path()))
      count += entry.path().filename().string().starts_with(".cairn-") ? 1 : 0;
    return count;
  };
  for (int i = 0; i < 2; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      AtomicFile victim(scratch / "out");
      victim.write("half");
      std::raise(SIGKILL);
    }
    waitpid(child, nullptr, 0);
    CHECK(strays() == 1);  // the second child has removed what the first one left
  }
  scratch.file(".cairn-elsewhere-1-0.tmp", "of another host");
  scratch.file(".cairn-notes", "of a user");
  AtomicFile first(scratch / "first");
  CHECK(strays() == 3);
  first.write("1");
  const pid_t child = fork();
  if (child == 0) {  // finds the temporary file of a process that lives
    AtomicFile second(scratch / "second");
    second.write("2");
    second.commit();
    std::_Exit(0);
  }
  waitpid(child, nullptr, 0);
  first.commit();
  CHECK(test::bytes_of(scratch / "first") == "1");
  CHECK(test::bytes_of(scratch / "second") == "2");
  CHECK(strays() == 2);
}

TEST_CASE("a file, a link to one and what is not there can be replaced, a pipe and a folder not") {
  const test::Scratch scratch;
  scratch.file("file", "");
  fs::create_symlink("file", scratch / "link");
  fs::create_symlink("none", scratch / "dangling");
  for (const char* const name : {"file", "link", "dangling", "none"})
    CHECK_NOTHROW(expect_replaceable(scratch / name));
  REQUIRE(mkfifo((scratch / "pipe").c_str(), 0600) == 0);
  fs::create_symlink("pipe", scratch / "to-pipe");
  for (const fs::path& path : {scratch / "pipe", scratch / "to-pipe", scratch.path()})
    CHECK_THROWS_AS(expect_replaceable(path), Error);
}

TEST_CASE("impossible targets") {
  const test::Scratch scratch;
  CHECK(code_of(scratch.path()) == Errc::usage);
  CHECK(code_of(scratch / "no/such/folder") == Errc::no_input);
  scratch.file("file", "");
  CHECK(code_of(scratch / "file/below") == Errc::no_input);
}

TEST_CASE("a failed write or rename leaves the old file alone") {
  const test::Scratch scratch;
  const std::string path = scratch.file("out", "old");
  for (const char* fault : {"file.write=ENOSPC", "file.rename=EIO"}) {
    arm_failpoints(fault, 0, 0);
    try {
      AtomicFile file(path);
      file.write("new");
      file.commit();
      CHECK(false);
    } catch (const Error& error) {
      CHECK(error.code() == Errc::input_output);
      CHECK(std::string(error.what()).find(path) != std::string::npos);
    }
    arm_failpoints("", 0, 0);
    CHECK(test::bytes_of(path) == "old");
    CHECK(files_in(scratch.path()) == 1);
  }
}
