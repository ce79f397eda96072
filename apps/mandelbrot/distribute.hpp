// Who does which task: static schedules, repartition and work stealing behind one call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "cairn/loadbalance/moving.hpp"

namespace cairn::mandelbrot {

enum class Kind { block, round_robin, random, weighted, repartition, stealing };

/// Of the option --schedule; nothing if there is none of that name.
[[nodiscard]] std::optional<Kind> kind_of(std::string_view name) noexcept;
/// Of all of them, for a help.
[[nodiscard]] std::string names_of_kinds();

/// Does a task. Called from several threads at once.
/// @param thread  that does it, of this rank: 0 … threads - 1
using Work = std::function<void(std::size_t task, int thread)>;

/// Deals tasks out to all threads of all ranks, again and again.
class Distributor {
 public:
  /// Local. @param comm  outlives this; @param threads  of each rank, equal everywhere
  Distributor(const Communicator& comm, int threads, Kind kind)
      : comm_(&comm), threads_(threads), kind_(kind) {}

  /// Does each of the tasks 0 … tasks - 1 once, on some thread of some rank. Collective, blocking.
  ///
  /// Static kinds deal the tasks to all threads of all ranks as if these were equal workers, worker
  /// rank · threads + thread, and nobody does anything else. Kind::repartition has ranges of tasks
  /// for the same workers, and cuts them anew by what each task has taken in the call before, if
  /// that had as many; the first time it is Kind::block. With stealing each rank begins with the
  /// tasks that are its own by block.
  ///
  /// @param weights  of the tasks, equal everywhere, for Kind::weighted; else empty
  /// @throws on all ranks, agreed: what `work` has thrown first on the lowest rank where it has.
  ///         With all kinds but stealing the other threads do their tasks first.
  void run(std::size_t tasks, std::span<const double> weights, const Work& work);

  [[nodiscard]] const Communicator& comm() const noexcept { return *comm_; }
  [[nodiscard]] int threads() const noexcept { return threads_; }
  [[nodiscard]] Kind kind() const noexcept { return kind_; }

 private:
  void repartition(std::size_t tasks, const Work& work);

  const Communicator* comm_;
  int threads_;
  Kind kind_;
  // Of Kind::repartition, equal everywhere.
  loadbalance::Ranges ranges_;             // of the workers
  std::vector<std::int64_t> nanoseconds_;  // that each task has taken
};

}  // namespace cairn::mandelbrot
