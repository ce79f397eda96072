/// Schedules of faults for Raft, and a judge: crashes, lost and half-told writes, messages that are
/// lost, doubled, late and out of order, partitions in one or both directions, changes of
/// membership, hand-overs. All from one seed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "cairn/consensus/raft.hpp"

namespace cairn::consensus {

struct RaftSchedule {
  std::size_t nodes = 3;  ///< 1 to 7; the rest of the machine's room is for nodes that join
  std::uint64_t seed = 0;
  std::uint32_t fault_steps = 600;    ///< in the first phase, where only safety is asked for
  std::uint32_t healed_ticks = 600;   ///< in the second, in which all must agree again
  RaftMutant mutant = RaftMutant::none;
  /// Told each step, a line; empty: nobody listens.
  std::function<void(std::string_view)> trace = {};
};

struct RaftVerdict {
  std::string violation;  ///< empty: none
  std::uint64_t steps = 0;
  std::uint64_t crashes = 0;
  std::uint64_t lost_writes = 0;
  std::uint64_t lost_messages = 0;
  std::uint64_t leaders = 0;
  std::uint64_t committed = 0;
  std::uint64_t changes = 0;  ///< of membership, committed
};

/// Runs one schedule to its end, or to the first violation:
///
/// * a term has one leader (election safety);
/// * entries at one index are the same on all nodes that applied it (state machine safety);
/// * a new leader has every entry that was ever applied (leader completeness);
/// * what is applied stands on the disks of a quorum;
/// * once healed, the nodes elect a leader and apply a new command everywhere (liveness).
[[nodiscard]] RaftVerdict simulate(const RaftSchedule& schedule);

}  // namespace cairn::consensus
