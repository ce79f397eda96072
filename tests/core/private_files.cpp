#include "cairn/core/private_files.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cairn/core/atomic_file.hpp"
#include "cairn/core/error.hpp"
#include "scratch.hpp"

using namespace cairn;
namespace fs = std::filesystem;

namespace {

unsigned mode_of(const fs::path& path) {
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0U;
}

template <typename Work>
Errc code_of(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return Errc::internal;
}

Errc opened(const fs::path& directory) {
  return code_of([&] { (void)open_private_directory(directory); });
}

Errc made(const fs::path& directory) {
  return code_of([&] { make_private_directory(directory); });
}

Errc read(const fs::path& path) {
  return code_of([&] { (void)read_regular_file(path); });
}

Errc replaced(const fs::path& path) {
  return code_of([&] { write_file_atomically(path, "new", FileAccess::owner); });
}

const Errc nothing = Errc::internal;

}  // namespace

TEST_CASE("a private directory is made so, and refused when others can write to it") {
  const test::Scratch scratch;
  const auto directory = scratch / "a";
  const auto before = ::umask(0);
  CHECK(made(directory / "") == nothing);
  ::umask(before);
  CHECK(mode_of(directory) == 0700);
  CHECK(made(directory) == nothing);
  for (const mode_t mode : {0700U, 0750U, 0755U}) {
    ::chmod(directory.c_str(), mode);
    CHECK(opened(directory) == nothing);
    CHECK(made(directory) == nothing);
  }
  for (const mode_t mode : {0770U, 0702U, 01777U}) {
    ::chmod(directory.c_str(), mode);
    CHECK(opened(directory) == Errc::permission);
    CHECK(made(directory) == Errc::permission);
  }
  CHECK(opened(scratch / "lacking") == Errc::no_input);
}

TEST_CASE("a directory of another user, or a link that one has made, is refused") {
  const test::Scratch scratch;
  const auto directory = scratch / "a";
  const auto link = scratch / "link";
  make_private_directory(directory);
  fs::create_directory_symlink(directory, link);
  CHECK(opened(link) == nothing);
  if (::geteuid() != 0) return;  // who cannot give anything away
  const uid_t other = 12345;
  CHECK(::lchown(link.c_str(), other, 0) == 0);
  CHECK(opened(link) == Errc::permission);
  CHECK(opened(link / "") == Errc::permission);
  CHECK(::chown(directory.c_str(), other, 0) == 0);
  CHECK(opened(directory) == Errc::permission);
}

TEST_CASE("links and pipes are neither read nor waited for nor written through") {
  const test::Scratch scratch;
  const auto victim = scratch.file("victim", "treasure");
  const auto link = scratch / "link";
  const auto pipe = scratch / "pipe";
  fs::create_symlink(victim, link);
  CHECK(::mkfifo(pipe.c_str(), 0600) == 0);
  for (const auto& path : {link, pipe, scratch.path()}) {
    CHECK(read(path) == Errc::bad_data);
    CHECK(code_of([&] { (void)open_regular_file(path, O_RDWR | O_TRUNC); }) == Errc::bad_data);
  }
  CHECK(replaced(link) == Errc::bad_data);
  CHECK(replaced(pipe) == Errc::bad_data);
  CHECK(fs::is_symlink(link));
  CHECK(test::bytes_of(victim) == "treasure");
  CHECK(read_regular_file(victim) == "treasure");
  CHECK(read(scratch / "lacking") == Errc::no_input);
}

TEST_CASE("a file that is its owner's is so however wide the umask, and whatever was there") {
  const test::Scratch scratch;
  const auto path = scratch.file("file", "old");
  ::chmod(path.c_str(), 0644);
  const auto before = ::umask(0);
  CHECK(replaced(path) == nothing);
  CHECK(replaced(scratch / "fresh") == nothing);
  ::umask(before);
  CHECK(test::bytes_of(path) == "new");
  CHECK(mode_of(path) == 0600);
  CHECK(mode_of(scratch / "fresh") == 0600);
}
