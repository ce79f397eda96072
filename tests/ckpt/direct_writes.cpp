// Writes past the page cache: the same bytes, and no page of theirs in the cache.

#include "direct_writes.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "cairn/core/file.hpp"
#include "scratch.hpp"

using namespace cairn;
using cairn::ckpt::DirectTrial;
using cairn::ckpt::DirectWrites;
using cairn::ckpt::NewFileTrial;

namespace {

std::vector<std::byte> numbered(std::size_t length) {
  std::vector<std::byte> bytes(length);
  for (std::size_t i = 0; i < length; ++i)
    bytes[i] = static_cast<std::byte>(i * 2654435761U >> 13U);
  return bytes;
}

/// Pages of the file in the page cache.
std::size_t cached_pages(const std::filesystem::path& path) {
  const File file(path, O_RDONLY);
  const auto length = file.size_bytes();
  void* memory = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, file.descriptor(), 0);
  REQUIRE(memory != MAP_FAILED);
  std::vector<unsigned char> resident((length + DirectWrites::block_bytes - 1) /
                                      DirectWrites::block_bytes);
  REQUIRE(::mincore(memory, length, resident.data()) == 0);
  ::munmap(memory, length);
  return static_cast<std::size_t>(
      std::count_if(resident.begin(), resident.end(), [](auto page) { return page % 2 != 0; }));
}

}  // namespace

TEST_CASE("a range of any begin and end is written, past the page cache but for its ends") {
  const test::Scratch scratch;
  const auto path = scratch / "data";
  const auto bytes = numbered((std::size_t{5} << 20) + 4321);
  for (const std::size_t offset :
       {std::size_t{0}, std::size_t{8}, std::size_t{4095}, std::size_t{12288}}) {
    for (const std::size_t skipped : {std::size_t{0}, std::size_t{1}, std::size_t{4088}}) {
      std::filesystem::remove(path);
      File file(path, O_RDWR | O_CREAT);
      file.resize(std::size_t{6} << 20);
      DirectWrites direct(path);
      const auto range = std::span(bytes).subspan(skipped);
      direct.write_at(file, range, offset);
      const bool was_direct = direct.work();
      direct.close();
      file.sync();
      if (was_direct) {
        CHECK(cached_pages(path) <= 2);
      } else {
        MESSAGE("not tried: no direct writes on the file system of the scratch folder");
      }
      std::vector<std::byte> read(range.size());
      file.read_at(read, offset);
      CHECK(std::equal(read.begin(), read.end(), range.begin()));
      std::vector<std::byte> before(offset);
      file.read_at(before, 0);
      CHECK(std::count(before.begin(), before.end(), std::byte{0}) ==
            static_cast<std::ptrdiff_t>(offset));
    }
  }
}

TEST_CASE("ranges that share a block do not spoil each other") {
  const test::Scratch scratch;
  const auto path = scratch / "data";
  const auto bytes = numbered(100000);
  File file(path, O_RDWR | O_CREAT);
  file.resize(bytes.size());
  DirectWrites direct(path);
  for (std::size_t first = 0; first < bytes.size();) {
    const auto length = std::min(bytes.size() - first, 5000 + first % 7001);
    direct.write_at(file, std::span(bytes).subspan(first, length), first);
    first += length;
  }
  file.sync();
  std::vector<std::byte> read(bytes.size());
  file.read_at(read, 0);
  CHECK(read == bytes);
}

TEST_CASE("the faster way is kept, and the other one tried again") {
  DirectTrial trial;
  const auto epoch = [&](double cached, double direct) {
    const bool directly = trial.next();
    trial.took(directly, directly ? direct : cached);
    return directly;
  };
  CHECK_FALSE(epoch(1, 2));
  CHECK(epoch(1, 2));
  for (int e = 0; e < DirectTrial::epochs_between; ++e) CHECK_FALSE(epoch(1, 2));
  CHECK(epoch(1, 0.5));  // the device is another one now
  for (int e = 0; e < DirectTrial::epochs_between; ++e) CHECK(epoch(1, 0.5));
  CHECK_FALSE(epoch(1, 0.5));
  CHECK(epoch(1, 0.5));
}

namespace {

/// MB/s of a rank, as they may be on a virtual machine: copies into pages that the system has at
/// hand, into pages that the hypervisor has to find first, and writes past the cache.
constexpr double at_hand = 4500;
constexpr double fresh = 210;
constexpr double past = 700;

/// Writes so many MiB and says how many of them directly.
int write(NewFileTrial& trial, int mebibytes, double copy, double direct) {
  int directly = 0;
  for (int i = 0; i < mebibytes; ++i) {
    const bool is_direct = trial.next();
    trial.took(1U << 20U, (1U << 20U) / (1e6 * (is_direct ? direct : copy)));
    directly += is_direct ? 1 : 0;
  }
  return directly;
}

}  // namespace

TEST_CASE("a new file is written through the cache as long as copies are quick") {
  const auto window = static_cast<int>(NewFileTrial::Settings{}.window_bytes >> 20U);
  NewFileTrial trial;
  CHECK(write(trial, 1000, at_hand, past) == 0);
  CHECK(write(trial, window, fresh, past) == 0);  // seen at its end
  CHECK(write(trial, 1000, fresh, past) == 1000);

  NewFileTrial without_gain;  // a slow disk, or one that takes such writes badly
  const int tried = write(without_gain, 1000, fresh, 100);
  CHECK(tried >= 1);
  CHECK(tried <= window / 2 + 1);  // it has taken as long as the window through the cache

  NewFileTrial short_runs;  // and short writes, each of which the disk is waited for
  (void)write(short_runs, window, fresh, past);
  REQUIRE(short_runs.next());
  int waited = 0;
  for (; short_runs.next() && waited < 1000; ++waited) short_runs.took(8192, 8e-3);
  CHECK(waited <= 6);  // 40 ms, which 8 MiB take through the cache

  NewFileTrial changing;
  CHECK(write(changing, 100, fresh, past) == 100 - window);
  CHECK(write(changing, 1000, fresh, 100) <= 2 * window);  // another job writes to the disk
  CHECK(write(changing, 1000, 50, 100) >= 1000 - 2 * window);
}

TEST_CASE("a file that three write by turns, one way and the other, has the bytes of all") {
  const test::Scratch scratch;
  const auto path = scratch / "data";
  const auto bytes = numbered(std::size_t{5} << 20);
  File file(path, O_RDWR | O_CREAT);
  file.resize(bytes.size());
  // Every copy is slow, so that the second MiB of each at least goes past the cache.
  const NewFileTrial trial({.window_bytes = 1U << 20U, .slow_copy = 1e30});
  DirectWrites writes[] = {DirectWrites(path, trial), DirectWrites(path, trial),
                           DirectWrites(path)};
  std::size_t piece = 0;
  for (std::size_t first = 0; first < bytes.size(); ++piece) {
    const auto length = std::min(bytes.size() - first, std::size_t{30001} + piece % 5 * 8000);
    writes[piece % 3].write_at(file, std::span(bytes).subspan(first, length), first);
    first += length;
  }
  const bool was_direct = writes[2].work();
  for (auto& one : writes) one.close();
  file.sync();
  const auto pages = bytes.size() / DirectWrites::block_bytes;
  CHECK(cached_pages(path) >= pages / 5);
  if (was_direct) CHECK(cached_pages(path) < pages * 9 / 10);
  std::vector<std::byte> read(bytes.size());
  file.read_at(read, 0);
  CHECK(read == bytes);
}
