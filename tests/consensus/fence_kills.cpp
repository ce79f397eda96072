// A claim that is killed, or fails, anywhere: the next one works, and no number is owned twice.

#include <doctest/doctest.h>

#include <cstdlib>

#include "cairn/consensus/fence.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "file_calls.hpp"
#include "other_process.hpp"
#include "scratch.hpp"

using namespace cairn;
using namespace cairn::consensus;
using namespace cairn::test;
namespace fs = std::filesystem;

namespace {

FenceOptions options() {
  return {.patience_seconds = 0, .stale_seconds = 0.2, .heartbeat_seconds = 0};
}

/// A launch that claims, confirms and ends.
void whole_launch(const fs::path& directory) {
  auto fence = claim(directory, this_process(), options());
  fence.confirm({{1, 10}});
}

/// Three launches, so that the next one has something to remove.
void prepare(const fs::path& directory) {
  fs::create_directories(directory);
  for (int i = 0; i < 3; ++i) whole_launch(directory);
}

/// What must hold after the fourth one has been cut short.
void check_next(const fs::path& directory) {
  const auto taken = owner(directory)->incarnation;
  CHECK((taken == 3 || taken == 4));
  CHECK(newest_confirmed(directory)->incarnation >= 3);
  auto fence = claim(directory, this_process(), options());
  CHECK(fence.incarnation() == taken + 1);
  fence.confirm({{1, 10}});
  fence.check();
  CHECK(newest_confirmed(directory) == fence.claim());
  for (std::uint64_t k = 1; k <= taken; ++k) CHECK(is_fenced(directory, k));
  for (const auto& entry : fs::directory_iterator(directory))
    CHECK(entry.path().extension() != ".tmp");
}

}  // namespace

TEST_CASE("a kill or an error at each failpoint") {
  std::size_t points = 0;
  for (const auto& name : failpoint_names()) {
    if (!name.starts_with("fence.")) continue;
    ++points;
    for (const char* const action : {"kill", "EIO"}) {
      CAPTURE(name);
      CAPTURE(action);
      const Scratch scratch;
      prepare(scratch.path());
      OtherProcess process([&] {
        arm_failpoints(name + "=" + action, 0, 0);
        try {
          whole_launch(scratch.path());
        } catch (const Error& error) {
          return error.exit_code();
        }
        return 0;
      });
      const auto code = process.wait();
      const bool is_kill = std::string(action) == "kill";
      CHECK(code == (is_kill ? 128 + SIGKILL : static_cast<int>(Errc::input_output)));
      check_next(scratch.path());
    }
  }
  CHECK(points >= 11);
}

TEST_CASE("a kill or an error at each system call") {
  const Scratch scratch;
  std::size_t calls = 0;
  {
    prepare(scratch / "undisturbed");
    FileCalls counted(scratch / "undisturbed");
    whole_launch(scratch / "undisturbed");
    calls = counted.calls().size();
  }
  CHECK(calls >= 20);
  for (std::size_t at = 0; at < calls; ++at) {
    for (const bool is_kill : {true, false}) {
      CAPTURE(at);
      CAPTURE(is_kill);
      const auto directory = scratch / (std::to_string(at) + (is_kill ? "k" : "e"));
      prepare(directory);
      OtherProcess process([&] {
        FileCalls faults(directory);
        if (is_kill) {
          faults.kill(at);
        } else {
          faults.fail(at, EIO);
        }
        try {
          whole_launch(directory);
        } catch (const Error&) {
          return 1;
        }
        return 0;
      });
      const auto code = process.wait();
      CHECK((code <= 1 || code == 128 + SIGKILL));
      check_next(directory);
    }
  }
}
