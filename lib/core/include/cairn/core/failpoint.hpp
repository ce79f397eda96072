/// Failpoints: named places in the code where a test can kill, stall or fail a chosen rank.
///
///     CAIRN_FAILPOINTS="heat.step=kill,rank=2,hit=120,launch=0; ckpt.data.sync=ENOSPC,rank=1"
///
/// | part       | meaning                                                                        |
/// |------------|--------------------------------------------------------------------------------|
/// | kill       | SIGKILL to itself: nothing is flushed, no destructor runs                       |
/// | stall:S    | sleeps S seconds and goes on                                                   |
/// | throw      | throws Error{internal}                                                         |
/// | ENOSPC …   | the operation behind it fails with that errno (EACCES EDQUOT EINTR EIO ENOSPC
/// EROFS) | | rank=R     | on this rank alone (default: every rank) | | hit=N      | at the N-th
/// time that the rank comes by, from 1 (default: every time)          | | launch=L   | in the L-th
/// launch of the job alone, from 0: CAIRN_LAUNCH, which `cairn run` sets |
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

/// A place that can be made to fail. Define it at namespace scope beside the code that passes it:
///
///     Failpoint before_sync{"ckpt.data.sync"};
///     …
///     before_sync.check("fdatasync " + path);
///
/// Disarmed (always, outside tests) it costs one load and one predictable branch.
class Failpoint {
 public:
  explicit Failpoint(const char* name) noexcept;
  Failpoint(const Failpoint&) = delete;
  Failpoint& operator=(const Failpoint&) = delete;

  [[nodiscard]] std::string_view name() const noexcept { return name_; }

  /// Local. Kills, stalls or throws when armed so; else the errno to pretend, 0 for none.
  [[nodiscard]] int hit() {
    if (armed_.load(std::memory_order_relaxed)) [[unlikely]] {
      return act();
    }
    return 0;
  }

  /// Like hit(), and throws the Error of that errno. `what` names the operation that is about to
  /// happen.
  void check(std::string_view what);

  struct Action;

 private:
  friend void arm_failpoints(std::string_view, int, int);
  friend std::vector<std::string> failpoint_names();
  int act();

  const char* name_;
  Failpoint* next_;
  std::atomic<bool> armed_{false};
  std::shared_ptr<Action> action_;
};

/// Arms the failpoints that `spec` names (grammar above), for this rank in this launch; disarms all
/// others.
///
/// Local. Runtime calls it with CAIRN_FAILPOINTS and CAIRN_LAUNCH. Not thread-safe against running
/// failpoints.
/// @throws Error{Errc::usage} for an unknown name or a malformed spec, naming what is known
void arm_failpoints(std::string_view spec, int rank, int launch);

/// The names of all failpoints that are linked into this program, sorted.
[[nodiscard]] std::vector<std::string> failpoint_names();

/// The number of this launch of the job, from 0: the environment's CAIRN_LAUNCH, which `cairn run`
/// sets.
[[nodiscard]] int launch_number() noexcept;

}  // namespace cairn
