// A launch that has lost the directory to another one: it ends, and what it wrote does not count.

#include "cairn/consensus/fence.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <thread>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/ckpt/inspect.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/core/file.hpp"
#include "fixture.hpp"
#include "record.hpp"

using namespace cairn;
using namespace cairn::test;
namespace fs = std::filesystem;

namespace {

Error error_of(const std::function<void()>& work) {
  return detail::error_of(work).value_or(Error(Errc{}, "no error"));
}

struct Job {
  explicit Job(ckpt::Options options) : u(world(), 16, 16), ckpt(world(), std::move(options)) {
    ckpt.field("u", u.data, u.block);
  }
  void save(int step) {
    u.fill(step);
    ckpt.save(static_cast<std::uint64_t>(step));
  }
  int restored() {
    u.clear();
    const auto step = static_cast<int>(ckpt.restore().value_or(0));
    CHECK((step == 0 || u.holds(step)));
    return step;
  }
  GridField u;
  ckpt::Checkpointer ckpt;
};

/// By rank 0, for all.
void take_over(const fs::path& directory) {
  barrier(world());
  if (world().is_root()) CHECK(!ckpt::take_over(directory).former_owner.empty());
  barrier(world());
}

fs::path file_of(const fs::path& directory, std::uint64_t epoch, const char* suffix) {
  char name[40];
  std::snprintf(name, sizeof name, "epoch-%010llu.%s", static_cast<unsigned long long>(epoch),
                suffix);
  return directory / name;
}

/// Epoch `from` once more, as the launch that wrote it would publish it as number `to`.
void publish_late(const fs::path& directory, std::uint64_t from, std::uint64_t to) {
  barrier(world());
  if (world().is_root()) {
    auto record = ckpt::parse_record(read_file(file_of(directory, from, "record")));
    record.epoch = to;
    record.data_file = file_of("", to, "h5").string();
    fs::copy_file(file_of(directory, from, "h5"), file_of(directory, to, "h5"));
    const auto text = ckpt::record_text(record);
    File file(file_of(directory, to, "record"), O_WRONLY | O_CREAT, 0600);
    file.write(std::as_bytes(std::span(text)));
  }
  barrier(world());
}

ckpt::Verdict verdict_of(const fs::path& directory, std::uint64_t epoch) {
  for (const auto& entry : ckpt::epochs_in(directory))
    if (entry.epoch == epoch) return entry.verdict;
  return ckpt::Verdict::stray;
}

/// Two stores in one process: what keeps them apart must not be the lock.
class WithoutLock {
 public:
  WithoutLock() { ::setenv("CAIRN_CKPT_LOCK", "off", 1); }
  WithoutLock(const WithoutLock&) = delete;
  WithoutLock& operator=(const WithoutLock&) = delete;
  ~WithoutLock() { ::unsetenv("CAIRN_CKPT_LOCK"); }
};

}  // namespace

TEST_CASE("each launch has an incarnation, and its epochs say which") {
  const SharedDirectory scratch;
  for (std::uint64_t k = 1; k <= 3; ++k) {
    Job job({.directory = scratch.path, .keep = 5});
    CHECK(job.restored() == static_cast<int>(k) - 1);
    job.save(static_cast<int>(k));
    barrier(world());
    const auto entries = ckpt::epochs_in(scratch.path);
    CHECK(entries.back().info->incarnation == k);
    barrier(world());
  }
  barrier(world());
  const auto owner = consensus::owner(scratch.path);
  CHECK(owner->incarnation == 3);
  CHECK(owner->is_released);
  CHECK(owner->claim->parent() == consensus::LastEpoch{2, 2});
  CHECK(!owner->claim->owner.nodes.empty());
}

TEST_CASE("without locks the claim keeps a second launch off") {
  const WithoutLock without_lock;
  const SharedDirectory scratch;
  Job first({.directory = scratch.path});
  first.save(1);
  const auto error = error_of(
      [&] { const Job second({.directory = scratch.path, .lock_patience_seconds = 0.1}); });
  CHECK(error.code() == Errc::unavailable);
  CHECK(error.agreed());
  CHECK(std::string(error.what()).find("in use by another running job (process ") !=
        std::string::npos);
  CHECK(std::string(error.what()).find("cairn journal fence") != std::string::npos);
  first.save(2);
  CHECK(first.restored() == 2);
  if (world().is_root()) CHECK(!fs::exists(scratch.path / "lock"));
}

TEST_CASE("a launch that was fenced commits nothing more, and says so on every rank") {
  for (const auto on_error : {ckpt::Options::OnError::stop, ckpt::Options::OnError::go_on}) {
    for (const auto mode : {ckpt::Options::Mode::sync, ckpt::Options::Mode::async}) {
      const SharedDirectory scratch;
      Job zombie({.directory = scratch.path, .mode = mode, .on_error = on_error});
      zombie.save(1);
      zombie.ckpt.wait();
      zombie.save(2);  // in mode async it is on its way
      take_over(scratch.path);
      const auto error = error_of([&] {
        zombie.ckpt.wait();
        zombie.save(3);
        zombie.ckpt.wait();
      });
      CHECK(error.code() == Errc::unavailable);
      CHECK(error.exit_code() == 69);
      CHECK(error.agreed());
      CHECK(std::string(error.what()).find("has taken over") != std::string::npos);
      const int newest = mode == ckpt::Options::Mode::sync ? 2 : 1;
      Job next({.directory = scratch.path});
      CHECK(next.restored() == newest);
      next.save(4);
      CHECK(error_of([&] { zombie.save(5); }).code() == Errc::unavailable);
      CHECK(next.restored() == 4);
      next.save(6);
      CHECK(next.restored() == 6);
    }
  }
}

TEST_CASE("a launch that was fenced restores nothing, and says so on every rank") {
  for (const bool is_empty : {true, false}) {
    const SharedDirectory scratch;
    Job zombie({.directory = scratch.path});
    if (!is_empty) zombie.save(1);
    take_over(scratch.path);
    const auto error = error_of([&] { (void)zombie.ckpt.restore(); });
    CHECK(error.code() == Errc::unavailable);
    CHECK(error.agreed());
    Job next({.directory = scratch.path});
    CHECK(next.restored() == (is_empty ? 0 : 1));
  }
}

TEST_CASE("what an older launch publishes late is void: for restarts, retention and tools") {
  const SharedDirectory scratch;
  std::string warnings;
  const auto options = [&](int keep) {
    return ckpt::Options{
        .directory = scratch.path, .keep = keep, .warn = [&](std::string_view text) {
          warnings += text;
          warnings += "\n";
        }};
  };
  {
    Job old(options(3));
    old.save(1);
    old.save(2);
  }
  {
    Job next(options(2));  // it owns the directory, and has published nothing yet
    publish_late(scratch.path, 2, 7);
    CHECK(next.restored() == 2);
    if (world().is_root())
      CHECK(warnings.find("it is void: incarnation 1 published it after incarnation 2 had taken "
                          "over the directory") != std::string::npos);
    next.save(8);
    barrier(world());
    CHECK(verdict_of(scratch.path, 7) == ckpt::Verdict::fenced);
    // 8 and 2 stay: 7 is not one of the two.
    CHECK(verdict_of(scratch.path, 2) == ckpt::Verdict::committed);
    publish_late(scratch.path, 2, 20);
  }
  Job third(options(1));
  CHECK(third.restored() == 8);
  CHECK(verdict_of(scratch.path, 20) == ckpt::Verdict::fenced);
  third.save(9);
  CHECK(third.restored() == 9);
  barrier(world());
}

TEST_CASE("a first launch of which only a void epoch is left begins from the start") {
  const SharedDirectory scratch;
  {
    Job old({.directory = scratch.path});
    old.save(1);
  }
  barrier(world());
  if (world().is_root()) {
    for (const char* suffix : {"h5", "record"})
      fs::rename(file_of(scratch.path, 1, suffix), scratch.path / suffix);
  }
  barrier(world());
  Job next({.directory = scratch.path});
  barrier(world());
  if (world().is_root()) {  // published when the next one had looked
    for (const char* suffix : {"h5", "record"})
      fs::rename(scratch.path / suffix, file_of(scratch.path, 1, suffix));
  }
  barrier(world());
  CHECK(next.restored() == 0);
  next.save(1);
  CHECK(next.restored() == 1);
}

TEST_CASE("taken over in the midst of a publication: reported, and nothing older is retired") {
  for (const char* const point :
       {"ckpt.publish.data", "ckpt.publish.record", "ckpt.publish.sync"}) {
    CAPTURE(point);
    const SharedDirectory scratch;
    Job zombie({.directory = scratch.path, .keep = 1});
    zombie.save(1);
    arm_failpoints(std::string(point) + "=stall:1,rank=0", world().rank(), 0);
    std::thread operating;
    if (world().is_root()) {
      operating = std::thread([&] {
        const auto is_under_way = [&] {
          return fs::exists(file_of(scratch.path, 2, "record.tmp")) ||
                 fs::exists(file_of(scratch.path, 2, "record"));
        };
        while (!is_under_way()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        std::this_thread::sleep_for(std::chrono::milliseconds(300));  // it is in its stall
        (void)ckpt::take_over(scratch.path);
      });
    }
    const auto error = error_of([&] { zombie.save(2); });
    if (operating.joinable()) operating.join();
    arm_failpoints("", world().rank(), 0);
    CHECK(error.code() == Errc::unavailable);
    CHECK(error.agreed());
    if (world().is_root()) CHECK(fs::exists(file_of(scratch.path, 1, "record")));
    Job next({.directory = scratch.path});
    CHECK(next.restored() >= 1);  // published before the next launch claimed it: it counts
    next.save(3);
    CHECK(next.restored() == 3);
  }
}

TEST_CASE("a fenced launch removes nothing of its successor's") {
  const SharedDirectory scratch;
  std::optional<Job> zombie(std::in_place, ckpt::Options{.directory = scratch.path, .keep = 1});
  for (int step = 1; step <= 3; ++step) zombie->save(step);
  take_over(scratch.path);
  {
    Job next({.directory = scratch.path, .keep = 1});
    CHECK(next.restored() == 3);
    for (int step = 4; step <= 6; ++step) next.save(step);
    CHECK(error_of([&] { zombie->save(9); }).code() == Errc::unavailable);
    const bool has_spare = fs::exists(scratch.path / "spare.h5");
    barrier(world());
    zombie.reset();
    CHECK(fs::exists(scratch.path / "spare.h5") == has_spare);
    barrier(world());
    next.save(7);
    CHECK(next.restored() == 7);
  }
}
