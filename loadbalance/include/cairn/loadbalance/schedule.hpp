/// Who does what, decided before anybody begins: pure functions from weights to an assignment.
///
/// There may be no tasks, and fewer than workers: some have none then.
///
/// For work whose cost is known, or not worth knowing. What costs more or less than one thinks is
/// for a WorkPool. All are local and give the same everywhere for the same arguments.
///
/// @throws Error{Errc::usage} for less than one worker, and weights or speeds that are no finite
///         numbers, or negative
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace cairn::loadbalance {

/// The worker of each task, 0 … workers-1.
using Schedule = std::vector<int>;

/// Equal numbers of tasks, neighbours together; the first workers have one more.
///
///     block        0 0 0 0 1 1 1 2 2 2
///     round robin  0 1 2 0 1 2 0 1 2 0
[[nodiscard]] Schedule block_schedule(std::size_t tasks, int workers);
[[nodiscard]] Schedule round_robin_schedule(std::size_t tasks, int workers);

/// Each task on its own to any worker.
[[nodiscard]] Schedule random_schedule(std::size_t tasks, int workers, std::uint64_t seed = 1);

/// The longest processing time first: each task, the heaviest first, to who has least. At most
/// 4/3 − 1/(3·workers) of the best there is.
///
/// Source: Graham, "Bounds on multiprocessing timing anomalies", SIAM J. Appl. Math. 17 (1969),
/// doi:10.1137/0117039.
/// @par Cost  n log n
[[nodiscard]] Schedule longest_first_schedule(std::span<const double> weights, int workers);

/// Round robin among unequal workers: each task to who would be through with as many as it then has
/// first. Neighbours on different workers, numbers as the speeds are.
/// @param speeds  of each worker, one of them at least above 0
[[nodiscard]] Schedule weighted_round_robin_schedule(std::size_t tasks,
                                                     std::span<const double> speeds);

/// Points of one worker are close to each other: Hilbert's curve, cut into pieces of about equal
/// weight.
/// @param points   finite
/// @param weights  one for each point; empty, or all 0: all the same
[[nodiscard]] Schedule curve_schedule(std::span<const std::array<double, 2>> points,
                                      std::span<const double> weights, int workers);
[[nodiscard]] Schedule curve_schedule(std::span<const std::array<double, 3>> points,
                                      std::span<const double> weights, int workers);

/// How good it is.
struct ScheduleCost {
  double largest = 0;    ///< load of a worker, in the unit of the weights: how long it takes
  double mean = 0;       ///< what it would take at best
  double imbalance = 1;  ///< largest / mean; 1 when there is nothing to do
};
[[nodiscard]] ScheduleCost cost_of(const Schedule& schedule, std::span<const double> weights,
                                   int workers);

}  // namespace cairn::loadbalance
