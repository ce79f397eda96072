#include "cairn/mapreduce/input.hpp"

#include <sys/stat.h>

#include <functional>

#include "cairn/core/error.hpp"
#include "shared_scratch.hpp"
#include "text.hpp"

using namespace cairn;
using namespace cairn::mapreduce;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> names(const std::vector<InputFile>& files, const std::string& root) {
  std::vector<std::string> names;
  for (const auto& file : files) names.push_back(file.path.substr(root.size() + 1));
  return names;
}

void on_root(const std::function<void()>& work) {
  if (test::world().is_root()) work();
  barrier(test::world());
}

/// The agreed Error that listing `input` throws on every rank.
Error error_of(const std::string& input) {
  try {
    (void)list_inputs(test::world(), std::vector<std::string>{input});
  } catch (const Error& error) {
    CHECK(error.agreed());
    return error;
  }
  return Error(Errc::internal, "no error");
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("folders are walked to the end, sorted by path; the list is the same on every rank") {
  const test::SharedScratch scratch;
  scratch.file("in/b", "22");
  scratch.file("in/a/z", "4444");
  scratch.file("in/a.txt", "1");
  scratch.file("in/c/d/e/empty", "");
  scratch.file("single", "333");
  const std::vector<std::string> inputs{scratch / "single", scratch / "in", scratch / "single"};
  const InputList list = list_inputs(test::world(), inputs);
  CHECK(names(list.plain, scratch.path()) ==
        Names{"single", "in/a.txt", "in/a/z", "in/b", "in/c/d/e/empty", "single"});
  CHECK(list.plain_bytes() == 3 + 1 + 4 + 2 + 0 + 3);
  CHECK(list.skipped_files() == 0);
  CHECK(list.symlinks == 0);
}

TEST_CASE("links inside folders are counted, a link that is the input is followed") {
  const test::SharedScratch scratch;
  scratch.file("real/file", "text");
  on_root([&] {
    fs::create_symlink("file", scratch / "real/link");
    fs::create_symlink(".", scratch / "real/loop");
    fs::create_symlink("nowhere", scratch / "real/dangling");
    fs::create_symlink("real", scratch / "input");
    fs::create_symlink("real/file", scratch / "text");
    fs::create_symlink("gone", scratch / "dead");
  });
  const InputList list =
      list_inputs(test::world(), std::vector<std::string>{scratch / "input", scratch / "text"});
  CHECK(names(list.plain, scratch.path()) == Names{"input/file", "text"});
  CHECK(list.symlinks == 3);
  CHECK(error_of(scratch / "dead").code() == Errc::no_input);
}

TEST_CASE("compressed files are known by their first bytes, whatever their names") {
  using namespace std::string_literals;
  const test::SharedScratch scratch;
  scratch.file("in/gz.txt", "\x1f\x8b\x08\0\0\0\0\0\0\x03"s);
  scratch.file("in/text.gz", "only called so");
  scratch.file("in/xz",
               "\xfd"
               "7zXZ\0\0"s);
  scratch.file("in/zst1", "\x28\xb5\x2f\xfd\x04");
  scratch.file("in/zst2", "\x28\xb5\x2f\xfd");
  scratch.file("in/bz2", "BZh91AY&SY...");
  scratch.file("in/bz2-empty", "BZh9\x17\x72\x45\x38\x50\x90");
  scratch.file("in/not-bz2", "BZh9 is a name");
  on_root([&] { mkfifo((scratch / "in/pipe").c_str(), 0600); });
  const std::vector<std::string> inputs{scratch / "in"};
  const InputList with = list_inputs(test::world(), inputs);
  CHECK(names(with.plain, scratch.path()) == Names{"in/not-bz2", "in/text.gz"});
  CHECK(names(with.gzip, scratch.path()) == Names{"in/gz.txt"});
  CHECK(with.gzip_bytes() == 10);
  CHECK(with.skipped ==
        std::map<std::string, std::uint64_t>{{"bzip2", 2}, {"fifo", 1}, {"xz", 1}, {"zstd", 2}});
  const InputList without = list_inputs(test::world(), inputs, {InputOptions::Compressed::skip});
  CHECK(without.gzip.empty());
  CHECK(without.skipped.at("gzip") == 1);
  CHECK(without.skipped_files() == 7);
}

TEST_CASE("files of /proc, which say they are empty, are not silently so") {
  const InputList list =
      list_inputs(test::world(), std::vector<std::string>{"/proc/self/status", "/etc/hostname"});
  CHECK(list.skipped == std::map<std::string, std::uint64_t>{{"unsized", 1}});
}

TEST_CASE("what cannot be read is one agreed error that names it") {
  const test::SharedScratch scratch;
  on_root([&] {
    fs::create_directory(scratch / "empty");
    mkfifo((scratch / "pipe").c_str(), 0600);
  });
  const std::string file = scratch.file("file", "text");
  for (const std::string& input :
       {scratch / "missing", scratch / "empty", scratch / "pipe", file + "/below"}) {
    const Error error = error_of(input);
    CHECK(error.code() == Errc::no_input);
    if (input != scratch / "empty")
      CHECK(std::string(error.what()).find(input) != std::string::npos);
  }
  CHECK(error_of("/dev/null").code() == Errc::no_input);
}
