/// Tasks between ranks: who asks whom, and when all has ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cairn/collectives/communicator.hpp"

namespace cairn::loadbalance {

/// What a rank's threads have between them, as the network sees it. In bytes: whole tasks.
class TaskBank {
 public:
  TaskBank() = default;
  TaskBank(const TaskBank&) = delete;
  TaskBank& operator=(const TaskBank&) = delete;
  virtual ~TaskBank() = default;
  /// Appends tasks that this rank can spare, at most `most_bytes`; none when it has none just now.
  virtual void withdraw(std::size_t most_bytes, std::vector<std::byte>& out) = 0;
  virtual void deposit(std::span<const std::byte> tasks) = 0;
};

struct StealOptions {
  /// Ranks that are asked at random before an idle one waits to be given something.
  int random_tries = 2;
  /// Tasks of one message.
  std::size_t most_bytes = std::size_t{64} << 10;
  std::uint64_t seed = 1;
};

/// What has happened on this rank since begin().
struct StealCounts {
  std::uint64_t asked = 0;  ///< steals tried
  std::uint64_t got = 0;    ///< messages with tasks that have come
  std::uint64_t given = 0;  ///< and that were sent
  std::uint64_t bytes_got = 0;
  std::uint64_t messages = 0;  ///< sent, of all kinds
  std::uint64_t waves = 0;     ///< looks whether all has ended
};

/// Work stealing between the ranks of a communicator, a rank's end of it.
///
///     idle: ask at random ──none──▶ … ──none──▶ ask along lifelines, and wait
///             ▲                                        │
///             └──────────── tasks ◀────────────────────┘
///
/// One steal of a rank is under way at a time. Whoever has nothing to spare says so at once; a rank
/// that has asked some others in vain asks its neighbours on a hypercube to remember it, and is
/// quiet until one of them sends what it can spare. That all has ended is found by FourCounters,
/// whose waves are non-blocking reductions that a rank enters while it is idle.
///
/// No call blocks; buffers belong to their transfer. The thread that uses it is the one that may
/// call MPI (MPI_THREAD_FUNNELED).
///
/// Source: Saraswat, Kambadur, Kodali, Grove, Krishnamoorthy, "Lifeline-based global load
/// balancing", PPoPP 2011, doi:10.1145/1941553.1941582.
class StealNetwork {
 public:
  /// Collective. @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
  StealNetwork(const Communicator& comm, const StealOptions& options);
  ~StealNetwork();
  StealNetwork(StealNetwork&&) noexcept;
  StealNetwork& operator=(StealNetwork&&) noexcept;

  /// Begins a run. Local; nobody may begin before all have ended the run before.
  void begin();

  /// Sends, receives and gives. To be called often.
  /// @param is_idle  whether no thread of this rank has or does anything
  /// @return whether something has come
  /// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
  bool progress(bool is_idle, TaskBank& bank);

  /// Whether all ranks have ended. Equal on all ranks, in time.
  [[nodiscard]] bool is_over() const noexcept;

  /// Tells all ranks to drop their tasks. Local.
  void give_up();
  /// Whether a rank has.
  [[nodiscard]] bool is_given_up() const noexcept;

  [[nodiscard]] const StealCounts& counts() const noexcept;
  [[nodiscard]] const Communicator& comm() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cairn::loadbalance
