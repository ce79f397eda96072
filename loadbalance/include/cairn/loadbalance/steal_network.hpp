/// Tasks between ranks, over MPI.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "cairn/loadbalance/incumbent.hpp"
#include "cairn/loadbalance/latency.hpp"
#include "cairn/loadbalance/steal_options.hpp"

namespace cairn::loadbalance {

/// MPI counts the bytes of a message by an int.
inline constexpr std::size_t most_message_bytes = 0x7fffffff;

/// What a rank's threads have between them, as the network sees it. In bytes: whole tasks.
class TaskBank {
 public:
  TaskBank() = default;
  TaskBank(const TaskBank&) = delete;
  TaskBank& operator=(const TaskBank&) = delete;
  virtual ~TaskBank() = default;
  /// Puts tasks that this rank can spare into `out`, at most `most_bytes`, but one that is larger
  /// alone; none when it has none just now.
  virtual void withdraw(std::size_t most_bytes, std::vector<std::byte>& out) = 0;
  virtual void deposit(std::span<const std::byte> tasks) = 0;
  /// The number of tasks of this rank if no thread of it works; else nothing.
  virtual std::optional<std::size_t> stillness() = 0;
};

/// Work stealing between the ranks of a communicator, a rank's end of it: a StealMachine whose
/// messages go through MPI.
///
/// Nothing blocks while a run goes on; buffers belong to their
/// transfer. The thread that uses it is the one that may call MPI (MPI_THREAD_FUNNELED).
class StealNetwork {
 public:
  /// Collective. @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
  /// @param incumbent  kept up to date by progress(); on all ranks or on none
  StealNetwork(const Communicator& comm, const StealOptions& options,
               SharedBest* incumbent = nullptr);
  ~StealNetwork();
  StealNetwork(StealNetwork&&) noexcept;
  StealNetwork& operator=(StealNetwork&&) noexcept;

  /// The incumbent becomes the best one of all ranks; nothing without one. Collective, blocking;
  /// not during a run. @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
  void level_incumbent();

  /// Begins a run. Local; nobody may begin before all have ended the run before.
  void begin();

  /// Sends, receives and gives. To be called often.
  /// @return whether something has come
  /// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
  bool progress(TaskBank& bank);

  /// When it is over: receives the words that come late, so that no message of the run is left.
  /// Collective, blocking.
  ///
  /// Source: the end of Hoefler, Siebert, Lumsdaine, "Scalable communication protocols for dynamic
  /// sparse data exchange", PPoPP 2010, doi:10.1145/1693453.1693476.
  void settle();

  /// Whether all ranks have ended, or stand still. Equal on all ranks, in time.
  [[nodiscard]] bool is_over() const noexcept;
  /// Ranks that had tasks left when it was over: some only if one has asked to pause. Equal on all
  /// ranks.
  [[nodiscard]] std::uint64_t ranks_left() const noexcept;

  /// Asks all ranks to keep their tasks and be still. Local.
  void pause();
  /// Whether a rank has.
  [[nodiscard]] bool is_pausing() const noexcept;

  /// Tells all ranks to drop their tasks. Local.
  void give_up();
  /// Whether a rank has.
  [[nodiscard]] bool is_given_up() const noexcept;

  /// Whether it waits for the rank that it has asked.
  [[nodiscard]] bool is_asking() const noexcept;

  [[nodiscard]] StealCounts counts() const noexcept;
  /// Of the steals of this run that are over: from the question to the answer, with tasks or
  /// without.
  [[nodiscard]] const LatencyHistogram& latency() const noexcept;
  /// The state of this rank's end in one line, for a report of a run that hangs: whom it asks, what
  /// it has sent and received, what is under way. Local.
  [[nodiscard]] std::string describe() const;
  [[nodiscard]] const Communicator& comm() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cairn::loadbalance
