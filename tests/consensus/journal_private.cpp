// A journal's files are their owner's alone, and nothing that another user puts in their place is
// followed or waited for.

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cairn/core/error.hpp"
#include "journal_cluster.hpp"

using namespace journal_test;
using cairn::Errc;
namespace fs = std::filesystem;

namespace {

unsigned mode_of(const fs::path& path) {
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0U;
}

void check_modes(const fs::path& directory) {
  CHECK(mode_of(directory) == 0700);
  CHECK(mode_of(directory / "journal.log") == 0600);
  for (const auto& entry : fs::directory_iterator(directory)) {
    CAPTURE(entry.path());
    CHECK(mode_of(entry.path()) == 0600);
  }
}

template <typename Work>
Errc code_of(Work&& work) {
  try {
    work();
  } catch (const cairn::Error& error) {
    return error.code();
  }
  return Errc::internal;
}

Errc opened(const fs::path& directory) {
  return code_of([&] { (void)JournalReplica(directory, options_of(0, 3)); });
}
Errc made(const fs::path& directory) {
  return code_of([&] { create_journal(directory, options_of(0, 3)); });
}
Errc head_read(const fs::path& directory) {
  return code_of([&] { (void)read_journal_head(directory); });
}
Errc all_read(const fs::path& directory) {
  return code_of([&] { (void)read_journal(std::vector{directory}); });
}

const std::string treasure = "somebody else's bytes";

}  // namespace

TEST_CASE("directory and files are the owner's alone, also those of a copy") {
  const cairn::test::Scratch scratch;
  const auto directory = scratch / "n";
  const auto before = ::umask(0);
  create_journal(directory, options_of(0, 3));
  check_modes(directory);
  fs::remove(directory / "journal.raft");
  ::chmod((directory / "journal.log").c_str(), 0644);
  CHECK_FALSE(JournalReplica(directory, options_of(0, 3)).status().votes);
  CHECK(mode_of(directory / "journal.log") == 0600);
  fs::remove_all(directory);
  CHECK_FALSE(JournalReplica(directory, options_of(0, 3)).status().votes);
  check_modes(directory);
  ::umask(before);
}

TEST_CASE("a link in the place of a lost log does not make a journal of a file elsewhere") {
  const cairn::test::Scratch scratch;
  const auto victim = scratch.file("victim", treasure);
  const auto directory = scratch / "n";
  for (const auto& target : {fs::path(victim), scratch / "not there"}) {
    fs::remove_all(directory);
    fs::create_directories(directory);
    fs::create_symlink(target, directory / "journal.log");
    CHECK(opened(directory) == Errc::bad_data);
    CHECK(head_read(directory) == Errc::bad_data);
    CHECK(all_read(directory) == Errc::bad_data);
    CHECK(made(directory) == Errc::input_output);
  }
  CHECK_FALSE(fs::exists(scratch / "not there"));
  // The record may be lost: what is left of the log becomes a copy.
  fs::remove_all(directory);
  create_journal(directory, options_of(0, 3));
  fs::remove(directory / "journal.raft");
  fs::create_symlink(victim, directory / "journal.raft");
  fs::create_symlink(victim, directory / "journal.log.damaged");
  CHECK_FALSE(JournalReplica(directory, options_of(0, 3)).status().votes);
  CHECK(cairn::test::bytes_of(victim) == treasure);
}

TEST_CASE("a pipe in the place of a file is refused, and not waited for") {
  const cairn::test::Scratch scratch;
  const auto directory = scratch / "n";
  fs::create_directories(directory);
  REQUIRE(::mkfifo((directory / "journal.log").c_str(), 0600) == 0);
  CHECK(head_read(directory) == Errc::bad_data);
  CHECK(opened(directory) == Errc::bad_data);
  CHECK(all_read(directory) == Errc::bad_data);
  fs::remove_all(directory);
  create_journal(directory, options_of(0, 3));
  fs::remove(directory / "journal.raft");
  REQUIRE(::mkfifo((directory / "journal.raft").c_str(), 0600) == 0);
  CHECK(read_journal(std::vector{directory}).directories[0].why.find("is not a file") !=
        std::string::npos);
  CHECK_FALSE(JournalReplica(directory, options_of(0, 3)).status().votes);
}

TEST_CASE("a directory that others can write to, or own, is refused") {
  const cairn::test::Scratch scratch;
  const auto directory = scratch / "n";
  create_journal(directory, options_of(0, 3));
  const auto log = cairn::test::bytes_of(directory / "journal.log");
  const auto check_refused = [&] {
    CHECK(opened(directory) == Errc::permission);
    CHECK(made(directory) == Errc::permission);
    CHECK(head_read(directory) == Errc::permission);
    CHECK(all_read(directory) == Errc::internal);  // an operator may read what is others'
  };
  for (const mode_t mode : {0777U, 0770U, 01777U}) {
    ::chmod(directory.c_str(), mode);
    check_refused();
  }
  ::chmod(directory.c_str(), 0755);
  CHECK(JournalReplica(directory, options_of(0, 3)).status().votes);
  if (::geteuid() == 0) {
    CHECK(::chown(directory.c_str(), 12345, 0) == 0);
    check_refused();
  }
  CHECK(cairn::test::bytes_of(directory / "journal.log") == log);
}
