/// A WorkPool's run that survives: saved in the middle, and gone on with on any number of ranks and
/// threads.
///
///     ckpt::Checkpointer ckpt(comm, {.directory = "ckpt", .every = 1});
///     CheckpointedRun<Node, Counts> run(ckpt);
///     run.restore_or(comm, roots);
///     if (!run.advance(pool, visit, {.every_tasks = 1'000'000'000}))
///       return stop_exit_code(ckpt.stop_signal());
///     const Counts all = pool.merged(run.state().results);
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/error.hpp"
#include "cairn/loadbalance/deal.hpp"
#include "cairn/loadbalance/work_pool.hpp"

namespace cairn::loadbalance {

struct CutOptions {
  /// Tasks of all ranks together between two cuts, about; 0: only when the Checkpointer wants one.
  /// The first rank that has done its share asks for a cut: where one does all, as it may under a
  /// static policy, cuts come up to p times as often.
  std::uint64_t every_tasks = 0;
};

/// A step of the Checkpointer is a cut: all ranks stand still, no message is under way, and the
/// tasks that are left and the results of those that are done are saved together. So a task is
/// either in the results or among what is left, never both: a run that is killed does again what it
/// has done since the last cut, and nothing twice.
///
/// The epoch has the datasets `tasks` (bytes, [tasks × sizeof(T)]; of tasks that list their members
/// `tasks/bytes`, one blob each) and `results/bytes` (one A of each rank), and the values
/// `tasks_done` and `tasks_left` of all ranks.
template <PoolTask T, Accumulator A>
class CheckpointedRun {
 public:
  /// Registers its fields. Local. @param ckpt  of the pool's communicator; lives as long as this
  explicit CheckpointedRun(ckpt::Checkpointer& ckpt) : ckpt_(ckpt) {
    if constexpr (is_plain) {
      ckpt.elements("tasks", bytes_, sizeof(T));
    } else {
      ckpt.blobs("tasks", task_blobs_);
    }
    ckpt.blobs("results", blobs_);
    ckpt.value("tasks_done", done_);
    ckpt.value("tasks_left", left_);
  }
  CheckpointedRun(const CheckpointedRun&) = delete;
  CheckpointedRun& operator=(const CheckpointedRun&) = delete;

  /// Takes the newest cut, or, if there is none, begins with `roots`. Collective.
  /// @return the number of the cut
  /// @throws what Checkpointer::restore() throws; Error{bad_data} on all ranks when the cut does
  /// not
  ///         have what it says
  std::optional<std::uint64_t> restore_or(const Communicator& comm, std::span<const T> roots) {
    const auto cut = ckpt_.restore();
    cut_ = cut.value_or(0);
    if (cut) {
      unpack(comm);
    } else {
      run_.tasks.assign(roots.begin(), roots.end());
    }
    return cut;
  }

  /// Goes on to the end, or until the program is asked to stop. Collective, blocking.
  ///
  /// @param dealing  how the ranks share; those that deal want a pool that does not steal
  ///                 (StealOptions::steals)
  /// @return whether the run has ended; if not, ckpt.stop_signal() says why, and a cut is saved if
  ///         there is a directory for it
  /// @throws what WorkPool::run(), deal() and Checkpointer::save() throw
  template <typename Process>
  [[nodiscard]] bool advance(WorkPool& pool, Process process, const CutOptions& options = {},
                             const Dealing<T>& dealing = {}) {
    const auto& comm = pool.comm();
    const auto ranks = static_cast<std::uint64_t>(comm.size());
    const std::uint64_t share = (options.every_tasks + ranks - 1) / ranks;
    if (dealing.deals()) begin(comm, process, dealing);
    while (true) {
      bool wants_cut = false;
      const auto begun = Clock::now();
      std::optional<Clock::time_point> asked;
      const auto pause = [&](const RankLook& rank) {
        wants_cut =
            wants_cut || ckpt_.is_wanted() || (share > 0 && since_cut_ + rank.tasks >= share);
        const bool wants_deal = rank.is_idle && may_deal_again(dealing, Clock::now() - begun);
        if (wants_deal && !asked) asked = Clock::now();
        return wants_cut || wants_deal;
      };
      const bool is_over = pool.run_until(run_, process, pause);
      since_cut_ += pool.report().tasks;
      report_.add(pool.report());
      done_ += all_reduce(comm, pool.report().tasks);
      if (is_over) return true;
      // Who wants a cut and who has run out may be different ranks.
      if (all_reduce(comm, wants_cut ? 1 : 0, Maximum{}) != 0) {
        left_ = all_reduce(comm, static_cast<std::uint64_t>(run_.tasks.size()));
        since_cut_ = 0;
        if (ckpt_.due(++cut_)) save(comm);
        if (ckpt_.stop_signal() != 0) return false;
      }
      if (dealing.policy == Policy::repartition)
        deal_again(comm, dealing, asked.value_or(Clock::now()));
    }
  }

  /// This rank's.
  [[nodiscard]] const PartialRun<T, A>& state() const noexcept { return run_; }
  /// What this rank has done since the launch, all parts together; what is between them, as making
  /// a checkpoint, is not in its times. Local.
  [[nodiscard]] const WorkPoolReport& report() const noexcept { return report_; }
  /// The number of the last cut, saved or not; 0 before the first. Local.
  [[nodiscard]] std::uint64_t cut() const noexcept { return cut_; }
  /// Tasks that were done up to the last cut or the end, on all ranks, launches before included.
  [[nodiscard]] std::uint64_t tasks_done() const noexcept { return done_; }
  /// Tasks of all ranks that waited at the last cut.
  [[nodiscard]] std::uint64_t tasks_left() const noexcept { return left_; }
  /// How often this launch has dealt out the tasks that were left (Policy::repartition).
  [[nodiscard]] std::uint64_t deals() const noexcept { return deals_; }

 private:
  static constexpr bool is_plain = std::is_trivially_copyable_v<T>;
  // Dealing out anew takes about a twentieth of the time.
  static constexpr int times_a_deal = 20;

  using Clock = std::chrono::steady_clock;

  /// With tasks enough for each rank, dealt out.
  template <typename Process>
  void begin(const Communicator& comm, const Process& process, const Dealing<T>& dealing) {
    const auto holders = all_reduce(comm, run_.tasks.empty() ? 0 : 1);
    if (holders == 0) return;
    const auto wanted = dealing.seeds_per_rank * static_cast<std::size_t>(comm.size());
    const auto mine =
        (wanted + static_cast<std::size_t>(holders) - 1) / static_cast<std::size_t>(holders);
    const auto done = together(
        comm, [&] { return make_seeds(run_, process, mine, [&] { return ckpt_.is_wanted(); }); });
    since_cut_ += done;
    report_.tasks += done;
    done_ += all_reduce(comm, done);
    deal(comm, run_.tasks, dealing);
  }

  /// Whether a rank that has run out may ask for it, so long after the last time.
  [[nodiscard]] bool may_deal_again(const Dealing<T>& dealing, Clock::duration since) const {
    return dealing.policy == Policy::repartition && since >= times_a_deal * deal_took_;
  }

  /// @param asked  when this rank wanted it: until all stand still they wait for the longest task
  void deal_again(const Communicator& comm, const Dealing<T>& dealing, Clock::time_point asked) {
    deal(comm, run_.tasks, dealing);
    const auto took = std::chrono::nanoseconds(Clock::now() - asked).count();
    deal_took_ =
        std::chrono::nanoseconds(all_reduce(comm, static_cast<std::int64_t>(took), Maximum{}));
    ++deals_;
  }

  void save(const Communicator& comm) {
    together(comm, [&] { pack(); });
    ckpt_.save(cut_);
  }

  void pack() {
    pack_tasks();
    blobs_.assign(1, ckpt::Blob(sizeof(A)));
    std::memcpy(blobs_[0].data(), &run_.results, sizeof(A));
  }

  void pack_tasks() {
    if constexpr (is_plain) {
      bytes_.resize(run_.tasks.size() * sizeof(T));
      if (!bytes_.empty()) std::memcpy(bytes_.data(), run_.tasks.data(), bytes_.size());
    } else {
      task_blobs_.clear();
      for (const T& task : run_.tasks) {
        loadbalance::pack(task, task_blobs_.emplace_back());
      }
    }
  }

  void unpack_tasks() {
    if constexpr (is_plain) {
      run_.tasks.resize(bytes_.size() / sizeof(T));
      if (!bytes_.empty())
        std::memcpy(static_cast<void*>(run_.tasks.data()), bytes_.data(), bytes_.size());
    } else {
      for (const auto& blob : task_blobs_) {
        Unpacker unpacker(blob);
        unpacker.take(run_.tasks.emplace_back());
        if (!unpacker.is_empty())
          throw Error(Errc::bad_data, "the checkpoint has a task with bytes behind its end");
      }
    }
  }

  void unpack(const Communicator& comm) {
    run_ = {};
    together(comm, [&] { unpack_tasks(); });
    const auto found = all_reduce(comm, static_cast<std::uint64_t>(run_.tasks.size()));
    together(comm, [&] {
      if (found != left_)
        throw Error(Errc::bad_data, "the checkpoint says that " + std::to_string(left_) +
                                        " tasks are left, and has " + std::to_string(found));
      for (const auto& blob : blobs_) {
        if (blob.size() != sizeof(A))
          throw Error(Errc::bad_data, "the checkpoint has results of " +
                                          std::to_string(blob.size()) + " bytes, not " +
                                          std::to_string(sizeof(A)));
        A part{};
        std::memcpy(static_cast<void*>(&part), blob.data(), sizeof(A));
        run_.results.merge(part);
      }
    });
  }

  ckpt::Checkpointer& ckpt_;
  PartialRun<T, A> run_;
  WorkPoolReport report_;
  std::uint64_t cut_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t left_ = 0;
  std::uint64_t deals_ = 0;
  std::uint64_t since_cut_ = 0;  // tasks of this rank
  Clock::duration deal_took_{};
  std::vector<std::uint8_t> bytes_;     // of plain tasks
  std::vector<ckpt::Blob> task_blobs_;  // of others
  std::vector<ckpt::Blob> blobs_;
};

}  // namespace cairn::loadbalance
