/// StealMachines under random schedules: messages overtake each other, ranks are fast and slow,
/// somebody asks for a pause or drops everything, better values are found. Is every task done once,
/// does the run end neither too early nor too late, and do the best values reach everybody?
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "cairn/loadbalance/steal_machine.hpp"

namespace cairn::loadbalance {

struct TrialOptions {
  int ranks = 5;
  int ranks_per_host = 2;
  /// Of a run, at most; each schedule draws its own.
  std::uint64_t most_tasks = 200;
  StealMutant mutant = StealMutant::none;
};

struct Trial {
  std::string violation;  ///< empty: none
  std::uint64_t steps = 0;
  std::uint64_t messages = 0;
  std::uint64_t news = 0;    ///< those of them that tell a better value
  std::uint64_t pauses = 0;  ///< the run stood still, and went on
  bool is_stopped = false;   ///< and ended with its tasks dropped
};

/// One schedule, the same for the same seed. Local, pure.
/// @throws nothing; what is wrong is a violation
[[nodiscard]] Trial try_steals(std::uint64_t seed, const TrialOptions& options);

/// Of many schedules.
struct TrialSum {
  std::uint64_t schedules = 0;
  std::uint64_t steps = 0;
  std::uint64_t messages = 0;
  std::uint64_t news = 0;
  std::uint64_t pauses = 0;
  std::uint64_t stops = 0;
  std::uint64_t violations = 0;
  std::optional<std::uint64_t> failing_seed = {};  ///< the first
  std::string violation = {};                      ///< of it
};

/// Schedules with the seeds from `first_seed` on; with a mutant, until the first violation.
[[nodiscard]] TrialSum try_many_steals(std::uint64_t first_seed, std::uint64_t schedules,
                                       const TrialOptions& options);

[[nodiscard]] const char* name_of(StealMutant mutant) noexcept;
/// `none` first.
[[nodiscard]] std::span<const StealMutant> all_steal_mutants() noexcept;

}  // namespace cairn::loadbalance
