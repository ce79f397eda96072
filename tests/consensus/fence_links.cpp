// link(2) as a network file system may answer it: with the answer to a repeated request, after the
// first answer was lost, and with counts that are cached.

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "cairn/consensus/fence.hpp"
#include "cairn/core/error.hpp"
#include "other_process.hpp"
#include "scratch.hpp"

using namespace cairn;
using namespace cairn::consensus;
using namespace cairn::test;
namespace fs = std::filesystem;

namespace {

/// What link(2) does and says in this process.
struct Behaviour {
  bool is_made = true;
  int error_number = 0;  ///< that it reports; 0: success
  bool is_count_stale = false;
  bool is_refused_always = false;  ///< a file system without hard links
};
bool is_lying = false;
Behaviour behaviour;
/// What others do between the look at the newest claim and the making of one's own.
std::function<void()> meanwhile;

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

FenceOptions options() {
  return {.patience_seconds = 0, .stale_seconds = 0.3, .heartbeat_seconds = 0};
}

/// Lies once while it lives.
struct Lie {
  explicit Lie(const Behaviour& what) {
    behaviour = what;
    is_lying = true;
  }
  Lie(const Lie&) = delete;
  Lie& operator=(const Lie&) = delete;
  ~Lie() { is_lying = false; }
};

}  // namespace

extern "C" {

int link(const char* from, const char* to) noexcept {
  static auto* const real = next<int(const char*, const char*)>("link");
  if (!is_lying) return real(from, to);
  if (!behaviour.is_refused_always) is_lying = behaviour.is_count_stale;
  if (behaviour.is_made && real(from, to) != 0) return -1;
  errno = behaviour.error_number;
  return behaviour.error_number == 0 ? 0 : -1;
}

int unlink(const char* path) noexcept {
  static auto* const real = next<int(const char*)>("unlink");
  if (meanwhile && std::string_view(path).ends_with(".tmp")) std::exchange(meanwhile, nullptr)();
  return real(path);
}

int stat(const char* path, struct stat* status) noexcept {
  static auto* const real = next<int(const char*, struct stat*)>("stat");
  const int code = real(path, status);
  if (code == 0 && is_lying && behaviour.is_count_stale &&
      std::string_view(path).ends_with(".tmp")) {
    status->st_nlink = 1;
  }
  return code;
}

}  // extern "C"

TEST_CASE("a link that was made counts, whatever was reported") {
  for (const int error_number : {0, EEXIST, EIO, ESTALE, ETIMEDOUT}) {
    for (const bool is_count_stale : {false, true}) {
      CAPTURE(error_number);
      CAPTURE(is_count_stale);
      const Scratch scratch;
      const Lie lie({.error_number = error_number, .is_count_stale = is_count_stale});
      auto fence = claim(scratch.path(), this_process(), options());
      CHECK(fence.incarnation() == 1);
      fence.confirm({});
      fence.check();
      CHECK(!fs::exists(scratch / "inc.2"));
      CHECK(owner(scratch.path())->claim == fence.claim());
    }
  }
}

TEST_CASE("a link that was not made does not count, whatever was reported") {
  const Scratch scratch;
  {
    const Lie lie({.is_made = false});  // "success"
    const auto fence = claim(scratch.path(), this_process(), options());
    CHECK(fence.incarnation() == 1);  // at the second attempt
    CHECK(owner(scratch.path())->claim == fence.claim());
  }
  {
    const Lie lie({.is_made = false, .error_number = EIO});
    CHECK_THROWS_AS((void)claim(scratch.path(), this_process(), options()), Error);
    CHECK(!fs::exists(scratch / "inc.2"));
  }
  CHECK(claim(scratch.path(), this_process(), options()).incarnation() == 2);
}

TEST_CASE("of two that are told EEXIST the one whose claim stands there has won") {
  const Scratch scratch;
  auto fence = [&] {
    const Lie lie({.error_number = EEXIST});
    return claim(scratch.path(), this_process(), options());
  }();
  CHECK(fence.incarnation() == 1);
  OtherProcess second([&] {
    // Its own link is refused rightly.
    Claimant claimant = this_process();
    auto forced = options();
    forced.take_over = FenceOptions::TakeOver::by_force;
    behaviour = {.is_made = false, .error_number = EEXIST};
    is_lying = true;
    const auto other = claim(scratch.path(), claimant, forced);
    return static_cast<int>(other.incarnation());
  });
  CHECK(second.wait() == 2);  // at the second attempt
  CHECK_THROWS_AS(fence.check(), Error);
}

TEST_CASE("a number whose claim was removed meanwhile is not taken again") {
  const Scratch scratch;
  const auto launch = [&] {
    OtherProcess process([&] {
      auto fence = claim(scratch.path(), this_process(), options());
      fence.confirm({{1, 1}});
      return static_cast<int>(fence.incarnation());
    });
    return process.wait();
  };
  CHECK(launch() == 1);
  meanwhile = [&] {
    for (int number = 2; number <= 5; ++number) CHECK(launch() == number);
    CHECK(!fs::exists(scratch / "inc.2"));
  };
  const auto late = claim(scratch.path(), this_process(), options());
  CHECK(late.incarnation() == 6);
  CHECK(!fs::exists(scratch / "inc.2"));
  CHECK_NOTHROW(late.check());
  // One that had ended before it could take its claim back.
  fs::copy_file(scratch / "inc.5", scratch / "inc.2");
  CHECK(is_fenced(scratch.path(), 2));
  CHECK(owner(scratch.path())->incarnation == 6);
}

TEST_CASE("on a file system without links exclusive creation decides") {
  for (const int error_number : {EPERM, EOPNOTSUPP, ENOSYS}) {
    const Scratch scratch;
    const Lie lie({.is_made = false, .error_number = error_number, .is_refused_always = true});
    auto fence = claim(scratch.path(), this_process(), options());
    CHECK(owner(scratch.path())->claim == fence.claim());
    OtherProcess second([&] {
      try {
        const auto other = claim(scratch.path(), this_process(), options());
      } catch (const Error& error) {
        return error.exit_code();
      }
      return 0;
    });
    CHECK(second.wait() == static_cast<int>(Errc::unavailable));
    // And among many at once, one of which may be slow to write what it has created.
    const Scratch race;
    auto patient = options();
    patient.stale_seconds = 60;
    const Gate start;
    const Gate end;
    std::vector<OtherProcess> processes;
    const Gate decided;
    for (int i = 0; i < 20; ++i) {
      processes.emplace_back([&] {
        start.wait();
        try {
          const auto other = claim(race.path(), this_process(), patient);
          decided.post();
          end.wait();
          return 0;
        } catch (const Error& error) {
          decided.post();
          return error.exit_code();
        }
      });
    }
    start.post(20);
    for (int i = 0; i < 20; ++i) decided.wait();
    end.post(20);
    int winners = 0;
    for (auto& process : processes) winners += process.wait() == 0 ? 1 : 0;
    CHECK(winners == 1);
  }
}
