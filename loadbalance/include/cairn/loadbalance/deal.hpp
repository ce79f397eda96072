/// Tasks that spawn others under a policy without stealing: there are made enough of them, and they
/// are dealt out to the ranks.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/loadbalance/policy.hpp"
#include "cairn/loadbalance/pool_worker.hpp"
#include "cairn/loadbalance/work_pool.hpp"

namespace cairn::loadbalance {

/// How the ranks share a run. Inside a rank threads share in any case.
///
///     static       seeds are made, dealt out once by the schedule, and each rank does its own
///     repartition  the same; whenever a rank has run out, all meet and deal out what is left
///     stealing     who has none asks others
///
/// Equal on all ranks.
template <PoolTask T>
struct Dealing {
  Policy policy = Policy::stealing;
  /// What is to be expected below a task, 0 or more: for Policy::weighted; Policy::repartition
  /// takes it too, and without it deals out equal numbers.
  std::function<double(const T&)> weight = {};
  /// Without stealing a launch begins with so many tasks for each rank: whoever has some does the
  /// oldest until then, or as long as they become more (make_seeds()); nobody else works meanwhile.
  std::size_t seeds_per_rank = 64;

  [[nodiscard]] bool deals() const noexcept { return policy != Policy::stealing; }
};

namespace detail {

/// Where each of this rank's tasks goes. Collective. @param weights  shape [tasks], or empty
[[nodiscard]] std::vector<int> dealt(const Communicator& comm, Policy policy, std::size_t tasks,
                                     std::span<const double> weights);

/// parts[r] goes to rank r. Collective. @return what has come, in the order of the ranks
[[nodiscard]] std::vector<std::byte> exchanged(const Communicator& comm,
                                               std::span<const std::vector<std::byte>> parts);

template <PoolTask T>
std::vector<double> weights_of(std::span<const T> tasks, const Dealing<T>& dealing) {
  std::vector<double> weights;
  const bool wants_them =
      dealing.policy == Policy::weighted || dealing.policy == Policy::repartition;
  if (!wants_them || !dealing.weight) return weights;
  weights.reserve(tasks.size());
  std::ranges::transform(tasks, std::back_inserter(weights), dealing.weight);
  return weights;
}

}  // namespace detail

/// Moves tasks of all ranks to where the policy wants them. Collective, blocking.
/// @param tasks  this rank's, shape [n], n ≥ 0; replaced by those that are its own now
/// @throws Error{Errc::usage} on all ranks for Policy::weighted without weights, and for weights
///         that are none; {unavailable} on all when memory ends on one before tasks travel;
///         {mpi_failure} on the ranks where MPI reports one
/// @par Cost  a sparse exchange; with weights, which all ranks learn, n log n of all tasks
template <PoolTask T>
void deal(const Communicator& comm, std::vector<T>& tasks, const Dealing<T>& dealing) {
  const auto weights =
      together(comm, [&] { return detail::weights_of(std::span<const T>(tasks), dealing); });
  const auto destinations =
      detail::dealt(comm, dealing.policy, tasks.size(), std::span<const double>(weights));
  std::vector<std::vector<std::byte>> parts(static_cast<std::size_t>(comm.size()));
  together(comm, [&] {
    for (std::size_t i = 0; i < tasks.size(); ++i)
      detail::pack_tasks(std::span<const T>(tasks).subspan(i, 1), sizeof(T),
                         parts[static_cast<std::size_t>(destinations[i])]);
  });
  const auto come = detail::exchanged(comm, parts);
  together(comm, [&] {
    TaskStack<T> stack;
    detail::unpack_tasks<T>(come, stack);
    tasks.assign(std::move_iterator(stack.all().begin()), std::move_iterator(stack.all().end()));
  });
}

/// Does the oldest tasks of this rank until `wanted` wait, or until that leads nowhere: their
/// number falls, or twice as many are done; or until `is_enough()`, which is asked before each.
/// Local.
/// @return how many were done
/// @throws what a task throws, with its name
template <PoolTask T, Accumulator A, typename Process, std::predicate Enough>
std::uint64_t make_seeds(PartialRun<T, A>& run, Process process, std::size_t wanted,
                         Enough is_enough) {
  constexpr std::size_t fall = 16;  // some nodes of any tree have no children
  StackOf<T> fresh;
  std::deque<T> tasks(std::move_iterator(run.tasks.begin()), std::move_iterator(run.tasks.end()));
  std::size_t done = 0;
  std::size_t most = tasks.size();
  const auto leads_somewhere = [&] { return tasks.size() + fall > most && done < 2 * wanted; };
  while (!tasks.empty() && tasks.size() < wanted && leads_somewhere() && !is_enough()) {
    T task = std::move(tasks.front());
    tasks.pop_front();
    ++done;
    Spawner<T> spawner(fresh);
    try {
      if constexpr (BlockProcess<Process, T, A>) {
        process(std::span<const T>(&task, 1), spawner, run.results);
      } else {
        process(task, spawner, run.results);
      }
    } catch (...) {
      throw detail::error_of_task(task, 1);
    }
    const auto spawned = fresh.all();
    tasks.insert(tasks.end(), spawned.begin(), spawned.end());
    fresh.clear();
    most = std::max(most, tasks.size());
  }
  run.tasks.assign(std::move_iterator(tasks.begin()), std::move_iterator(tasks.end()));
  return done;
}

}  // namespace cairn::loadbalance
