/// How ranks steal from each other, and what they count of it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cairn::loadbalance {

/// Of StealOptions::host_tries and random_tries.
inline constexpr int most_tries = 1'000'000;

struct StealOptions {
  /// Else a rank does its own tasks, and asks nobody for others.
  bool steals = true;
  /// Ranks of the same host that an idle one asks first, at random; 0 to most_tries.
  int host_tries = 1;
  /// Ranks anywhere that it then asks at random, before it waits to be given something; 0 to
  /// most_tries.
  int random_tries = 4;
  /// A rank whose tasks take less than this (0 or more), without what comes of them, keeps them: it
  /// is done with them before another rank has got some. About the latency of a message.
  double least_work_us = 2.0;
  /// Tasks of one message, at most; a task that is larger goes alone.
  std::size_t most_bytes = std::size_t{64} << 10;
  /// One that is larger when it is stolen ends the run with Errc::usage on all ranks. MPI counts
  /// bytes by an int: not more than that.
  std::size_t largest_task_bytes = 0x7fffffff;
  std::uint64_t seed = 1;
  /// Takes so many consecutive ranks for a host; 0: asks MPI who can share memory.
  int ranks_per_host = 0;
};

/// Local. @throws Error{Errc::usage} for options that cannot be
void check(const StealOptions& options);

/// Whether a rank gives some of its tasks away, which themselves take so long: the policy over MPI
/// and in the simulator.
[[nodiscard]] constexpr bool is_worth_sharing(double work_us,
                                              const StealOptions& options) noexcept {
  return work_us >= options.least_work_us;
}

/// What has happened on a rank since a run began.
struct StealCounts {
  std::uint64_t asked = 0;          ///< steals tried
  std::uint64_t asked_on_host = 0;  ///< of these, of ranks of the same host that go first
  std::uint64_t parked = 0;  ///< times that a rank has asked in vain, and waited to be given some
  std::uint64_t got = 0;     ///< messages with tasks that have come
  std::uint64_t gifts = 0;   ///< of these, along a lifeline; the others are steals won
  std::uint64_t given = 0;   ///< and that were sent
  std::uint64_t bytes_got = 0;
  std::uint64_t messages = 0;  ///< sent, of all kinds
  std::uint64_t waves = 0;     ///< looks whether all has ended

  [[nodiscard]] std::uint64_t won() const noexcept { return got - gifts; }

  friend bool operator==(const StealCounts&, const StealCounts&) = default;
};

}  // namespace cairn::loadbalance
