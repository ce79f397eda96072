// Options::Mode::async: the program computes while an epoch is written.

#include <chrono>
#include <thread>

#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "fixture.hpp"

using namespace cairn;
using namespace cairn::test;
namespace fs = std::filesystem;

namespace {

constexpr int dirty = 777;

/// A Checkpointer in mode async with a field and a value, which hold their step.
struct Job {
  Job(const Communicator& comm, const fs::path& directory)
      : u(comm, 300, 700),
        ckpt(comm, {.directory = directory,
                    .warn = [this](std::string_view text) { warnings += text; },
                    .mode = ckpt::Options::Mode::async}) {
    ckpt.field("u", u.data, u.block);
    ckpt.value("time", time);
  }
  /// Afterwards the program goes on and overwrites what it has.
  void save(int step) {
    u.fill(step);
    time = step;
    ckpt.save(static_cast<std::uint64_t>(step));
    u.fill(dirty);
    time = dirty;
  }

  GridField u;
  double time = 0;
  std::string warnings;
  ckpt::Checkpointer ckpt;
};

void check_newest(const Communicator& comm, const fs::path& directory, int step) {
  Job job(comm, directory);
  CHECK(job.ckpt.restore() == static_cast<std::uint64_t>(step));
  CHECK(job.u.holds(step));
  CHECK(job.time == step);
}

bool has_temporary(const fs::path& directory) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() == ".tmp") return true;
  }
  return false;
}

void arm(const std::string& failpoints) { arm_failpoints(failpoints, world().rank(), 0); }

}  // namespace

TEST_CASE("an epoch in the background holds what the fields held when it was saved") {
  const SharedDirectory scratch;
  {
    Job job(world(), scratch.path);
    for (int step = 1; step <= 6; ++step) {
      job.save(step);
      CHECK(job.u.holds(dirty));
    }
    job.ckpt.wait();
    CHECK(job.ckpt.epoch() == 6);
    job.ckpt.wait();  // there is nothing to wait for
    barrier(world());
    CHECK_FALSE(has_temporary(scratch.path));
    barrier(world());
  }
  check_newest(world(), scratch.path, 6);
}

TEST_CASE("save returns before the epoch is written, and the next one waits for it") {
  const SharedDirectory scratch;
  Job job(world(), scratch.path);
  arm("ckpt.data.sync=stall:0.3");
  job.save(1);
  CHECK_FALSE(job.ckpt.epoch().has_value());
  job.save(2);
  CHECK(job.ckpt.epoch() == 1);
  arm("");
  job.ckpt.wait();
  CHECK(job.ckpt.epoch() == 2);
}

TEST_CASE("due commits what has been written meanwhile, on all ranks at once") {
  const SharedDirectory scratch;
  Job job(world(), scratch.path);
  // The last rank is late; nobody may commit before it.
  arm("ckpt.data.sync=stall:0.2,rank=" + std::to_string(world().size() - 1));
  job.save(1);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::uint64_t polls = 0;
  bool go_on = true;
  while (go_on) {
    CHECK_FALSE(job.ckpt.due(1));
    ++polls;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    go_on = bcast(world(), !job.ckpt.epoch() && std::chrono::steady_clock::now() < deadline);
  }
  arm("");
  CHECK(polls > 1);
  CHECK(job.ckpt.epoch() == 1);
}

TEST_CASE("a failure in the background of any rank is an agreed error, and the older epoch stays") {
  const SharedDirectory scratch;
  for (const auto* const name :
       {"ckpt.copy", "ckpt.data.open", "ckpt.data.write", "ckpt.data.sync"}) {
    for (const int rank : {0, world().size() - 1}) {
      CAPTURE(name);
      CAPTURE(rank);
      {
        Job job(world(), scratch.path);
        job.save(1);
        job.ckpt.wait();
        arm(std::string(name) + "=EIO,rank=" + std::to_string(rank));
        bool failed = false;
        try {
          job.save(2);
          job.ckpt.wait();
        } catch (const Error& error) {
          failed = true;
          CHECK(error.agreed());
          CHECK(error.code() == Errc::input_output);
        }
        arm("");
        CHECK(failed);
        barrier(world());
        CHECK_FALSE(has_temporary(scratch.path));
        CHECK(job.ckpt.restore() == 1);
        CHECK(job.u.holds(1));
        job.save(3);
        job.ckpt.wait();
      }
      check_newest(world(), scratch.path, 3);
    }
  }
}

TEST_CASE("destruction gives up an epoch that is on its way, and says so") {
  const SharedDirectory scratch;
  std::string warnings;
  {
    std::optional<Job> job(std::in_place, world(), scratch.path);
    job->save(1);
    job->ckpt.wait();
    job->save(2);
    { const auto ckpt = std::move(job->ckpt); }
    warnings = job->warnings;
    job.reset();
  }
  barrier(world());
  CHECK_FALSE(has_temporary(scratch.path));
  if (world().is_root()) CHECK(warnings.find("given up") != std::string::npos);
  barrier(world());
  check_newest(world(), scratch.path, 1);
}
