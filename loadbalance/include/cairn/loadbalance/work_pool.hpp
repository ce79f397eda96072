/// Irregular tasks over the threads of all ranks.
///
///     struct Counts {
///       std::uint64_t nodes = 0;
///       void merge(const Counts& other) { nodes += other.nodes; }
///     };
///
///     void visit(const Node& node, Spawner<Node>& spawner, Counts& counts) {
///       ++counts.nodes;
///       for (int i = 0; i < children_of(node); ++i) spawner.push(child(node, i));
///     }
///
///     WorkPool pool(comm, {.threads = 2});
///     const Counts all = pool.run<Node, Counts>(roots, visit);
///
/// Each thread has a stack of its own, which nobody else touches. A thread without work waits; one
/// that has work looks at a flag now and then, and, when somebody waits, puts every second of its
/// tasks where the others find them. Ranks steal from each other in the same way
/// (steal_network.hpp).
#pragma once

#include <concepts>
#include <cstddef>
#include <cstring>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/core/error.hpp"
#include "cairn/loadbalance/pool_run.hpp"
#include "cairn/loadbalance/process.hpp"
#include "cairn/loadbalance/steal_network.hpp"

namespace cairn::loadbalance {

/// A run that is not at its end: what this rank has of it. Tasks of all ranks together, and merged
/// results, are the same run, however they are dealt out: it may go on with other ranks.
template <PoolTask T, Accumulator A>
struct PartialRun {
  std::vector<T> tasks = {};  ///< roots, or what is left
  A results{};                ///< of the tasks that are done
};

/// A pool on a communicator; may run again and again.
class WorkPool {
 public:
  /// Collective. @throws Error{Errc::usage} for options that cannot be (check()), or an incumbent
  /// on some ranks only, agreed; {mpi_failure} on the ranks where MPI reports one
  explicit WorkPool(const Communicator& comm, const WorkPoolOptions& options = {})
      : options_(options), network_(comm, options.stealing, options.incumbent) {
    together(comm, [&] { check(options); });
    const int with = all_reduce(comm, options.incumbent == nullptr ? 0 : 1);
    together(comm, [&] {
      if (with != 0 && with != comm.size())
        throw Error(Errc::usage, std::to_string(with) + " of " + std::to_string(comm.size()) +
                                     " ranks have an incumbent: all of them do, or none");
    });
  }

  /// Processes `roots` of all ranks, and all that comes of them. Collective, blocking: returns when
  /// nothing is left anywhere. Every task is processed once, by some thread of some rank.
  ///
  /// @param roots    this rank's, shape [n], n ≥ 0; none at all, or fewer than ranks, is nothing
  ///                 special
  /// @param process  called as process(task, spawner, accumulator), or, if it cannot be, with a
  ///                 block of at most `block` tasks (BlockProcess); every thread has a copy of its
  ///                 own
  /// @return the merged accumulators of all threads of all ranks, equal on all ranks if merging is
  ///         exact; else merged in the order of ranks
  /// @throws on all ranks, agreed: what a task has thrown first on the lowest rank where one has,
  ///         with the task's name (description_of); the tasks that are left are dropped. So
  ///         does what a pulse, a task's split or a merge throws, and a rank without memory for its
  ///         tasks, with unavailable. On one rank alone:
  ///         Error{mpi_failure}, and std::bad_alloc when there is no room for messages; the others
  ///         may then wait for it, so end the job
  /// @par Cost  a few ns a task
  template <PoolTask T, Accumulator A, typename Process>
  A run(std::span<const T> roots, Process process) {
    PartialRun<T, A> all;
    (void)go_on(
        all, [&] { all.tasks.assign(roots.begin(), roots.end()); }, std::move(process),
        [](const RankLook&) { return false; });
    return merged(all.results);
  }

  /// Goes on with a run until it has ended, or until all ranks stand still because one wants a
  /// pause; no message is under way then, and a checkpoint can be made. Collective, blocking.
  ///
  /// @param run    of this rank; brought up to date
  /// @param pause  asked often, by the caller's thread, between tasks, with how far this rank is:
  ///               cheap, not collective; one rank that says true is enough. What it throws ends
  ///               the run on all ranks
  /// @return whether the run has ended: no rank has tasks left; equal on all ranks
  /// @throws what run() throws; `run` is then of no use
  template <PoolTask T, Accumulator A, typename Process, std::predicate<const RankLook&> Pause>
  [[nodiscard]] bool run_until(PartialRun<T, A>& run, Process process, Pause pause) {
    return go_on(
        run, [] {}, std::move(process), std::move(pause));
  }

  /// The results of all ranks, merged in their order; equal on all ranks. Collective, blocking.
  template <Accumulator A>
  [[nodiscard]] A merged(const A& mine) const {
    const auto& comm = network_.comm();
    std::vector<std::byte> bytes(sizeof(A));
    std::memcpy(bytes.data(), &mine, sizeof(A));
    std::vector<std::byte> all(sizeof(A) * static_cast<std::size_t>(comm.size()));
    all_gather(comm, std::span<const std::byte>(bytes), std::span<std::byte>(all));
    A total{};
    for (std::size_t at = 0; at < all.size(); at += sizeof(A)) {
      A part{};
      std::memcpy(static_cast<void*>(&part), all.data() + at, sizeof(A));
      total.merge(part);
    }
    return total;
  }

  static constexpr std::size_t block = detail::tasks_at_once;

  [[nodiscard]] const Communicator& comm() const noexcept { return network_.comm(); }

  /// Of the last run. Local.
  [[nodiscard]] const WorkPoolReport& report() const noexcept { return report_; }

 private:
  /// run_until(), after `prepare`, which may lack memory.
  template <PoolTask T, Accumulator A, typename Prepare, typename Process, typename Pause>
  bool go_on(PartialRun<T, A>& run, Prepare prepare, Process process, Pause pause) {
    std::optional<detail::PoolRun<T, A, Process, Pause>> work;
    together(network_.comm(), [&] {
      prepare();
      work.emplace(options_, network_, process, pause);
    });
    network_.level_incumbent();
    const A results = work->run(std::exchange(run.tasks, {}), report_);
    network_.settle();
    auto error = work->error();
    if (!error) {
      error = cairn::detail::error_of([&] {
        run.tasks = work->tasks_left();
        run.results.merge(results);
      });
    }
    agree(network_.comm(), error);
    network_.level_incumbent();
    return network_.ranks_left() == 0;
  }

  WorkPoolOptions options_;
  StealNetwork network_;
  WorkPoolReport report_;
};

}  // namespace cairn::loadbalance
