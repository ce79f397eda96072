#include "cairn/core/file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <string>

#include "cairn/core/atomic_file.hpp"
#include "cairn/core/error.hpp"
#include "disk_calls.hpp"
#include "scratch.hpp"

using namespace cairn;
namespace fs = std::filesystem;

namespace {

Errc code_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return Errc{0};
}

}  // namespace

TEST_CASE("an atomic write replaces the file whole and leaves no temporary") {
  const test::Scratch scratch;
  const auto path = scratch / "result.json";
  write_file_atomically(path, "first, and longer");
  write_file_atomically(path, "second");
  CHECK(read_file(path) == "second");
  CHECK(std::distance(fs::directory_iterator(scratch.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("a write that fails says where, and leaves the old file") {
  const test::Scratch scratch;
  CHECK(code_of([&] { write_file_atomically(scratch / "no" / "x", "text"); }) == Errc::no_input);
  CHECK(code_of([&] { write_file_atomically("/proc/cairn", "text"); }) != Errc{0});
  CHECK(code_of([] {
          File full("/dev/full", O_WRONLY);
          full.write(std::as_bytes(std::span(std::string_view("x"))));
        }) == Errc::input_output);
}

TEST_CASE("reading past the end is bad data, not zeros") {
  const test::Scratch scratch;
  write_file_atomically(scratch / "short", "abc");
  const File file(scratch / "short", O_RDONLY);
  std::array<std::byte, 3> bytes{};
  file.read_at(bytes, 0);
  CHECK(bytes[2] == std::byte{'c'});
  CHECK(code_of([&] { file.read_at(bytes, 1); }) == Errc::bad_data);
  CHECK(file.size_bytes() == 3);
}

TEST_CASE("positional writes land where they should, and reserving keeps the size visible") {
  const test::Scratch scratch;
  File file(scratch / "data", O_RDWR | O_CREAT);
  file.reserve(8);
  file.write_at(std::as_bytes(std::span(std::string_view("xy"))), 6);
  file.sync();
  file.close();
  const auto text = read_file(scratch / "data");
  CHECK(text.size() == 8);
  CHECK(text.substr(6) == "xy");
}

TEST_CASE("a file is removed, and none is no error; a directory is none") {
  const test::Scratch scratch;
  const auto path = scratch / "file";
  write_file_atomically(path, "text");
  remove_file(path);
  CHECK(!fs::exists(path));
  remove_file(path);
  CHECK(code_of([&] { remove_file(scratch.path()); }) != Errc{0});
}

TEST_CASE("a directory is made with its parents, and what was made is durable") {
  const test::Scratch scratch;
  const auto mode = [](const fs::path& path) { return fs::status(path).permissions(); };
  (void)test::DiskCalls::all().take_synced();
  make_directory(scratch / "a" / "b" / "", 0700);
  CHECK(mode(scratch / "a" / "b") == fs::perms::owner_all);
  CHECK(mode(scratch / "a") != fs::perms::owner_all);  // as the umask says
  auto synced = test::DiskCalls::all().take_synced();
  CHECK(synced.contains(scratch.path()));
  CHECK(synced.contains(scratch / "a"));
  // Who made it may have died before it was durable.
  make_directory(scratch / "a" / "b");
  CHECK(mode(scratch / "a" / "b") == fs::perms::owner_all);
  synced = test::DiskCalls::all().take_synced();
  CHECK(synced.contains(scratch / "a"));
  (void)scratch.file("c", "text");
  CHECK(code_of([&] { make_directory(scratch / "c"); }) == Errc::no_input);
  CHECK(code_of([&] { make_directory(scratch / "c" / "d"); }) == Errc::no_input);
  make_directory("/");
}
