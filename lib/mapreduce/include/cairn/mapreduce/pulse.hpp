/// Pulse: ranks that work alone for long know within a moment when one of them has to stop.
#pragma once

#include <mpi.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>

#include "cairn/collectives/communicator.hpp"

namespace cairn::mapreduce {

/// A non-blocking sum over the ranks that is always under way while each does its own share: what
/// has been done, who has finished, who has failed, who was asked to stop. No rank waits for it
/// until its own share is done.
///
///     Pulse pulse(comm, progress);
///     while (more && pulse.beat(bytes)) …       // false: leave, somebody failed or was stopped
///     pulse.finish(failed ? Pulse::Outcome::failed : Pulse::Outcome::done);
///     agree(comm, error);                       // all ranks are here now
///
/// Every rank makes one, calls beat() as often as it likes (at least a few times a second, for a
/// prompt end) and finish() once. A request to stop reaches all ranks within two intervals and two
/// beats of the slowest rank.
class Pulse {
 public:
  /// Called on rank 0 with the sum of what all ranks have reported, now and then.
  using Progress = std::function<void(std::uint64_t done)>;
  enum class Outcome { done, failed };

  /// Local. No other collective may run on `comm` between the first beat and the end of finish().
  explicit Pulse(const Communicator& comm, Progress progress = {});
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

  /// Reports `more` done. Local, does not block.
  /// @return false when this rank is to leave its work and call finish()
  /// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
  [[nodiscard]] bool beat(std::uint64_t more = 0);

  /// This rank's share has ended. Collective, blocking, asleep while it waits: returns when all
  /// ranks have ended, or one of them failed or was asked to stop and all know it.
  void finish(Outcome outcome);

 private:
  enum Field { done, finished, failed, stopped, fields };

  void start();
  bool completed();
  void judge();

  const Communicator& comm_;
  Progress progress_;
  std::array<std::uint64_t, fields> mine_{};
  std::array<std::uint64_t, fields> sent_{};
  std::array<std::uint64_t, fields> sum_{};
  MPI_Request request_ = MPI_REQUEST_NULL;
  std::chrono::steady_clock::time_point last_start_{};
  bool leave_ = false;
};

}  // namespace cairn::mapreduce
