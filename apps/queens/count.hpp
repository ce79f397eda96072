// Counting what can be made of a placement.
#pragma once

#include "board.hpp"
#include "cairn/loadbalance/work_pool.hpp"

namespace cairn::queens {

/// Counts `placement` and all that comes of it, on this thread alone. Local, no MPI.
[[nodiscard]] Counts count(const Board& board, const Placement& placement = {});

/// The rows from which on a placement is counted in one go, so that this takes some microseconds:
/// longer than the pool needs for a task, and shorter than a rank should wait for an answer.
[[nodiscard]] int depth_for(int n) noexcept;

/// Counts all placements on all threads of all ranks of the pool. Collective, blocking; equal on
/// all ranks, for any depth.
/// @param depth  rows whose placements are tasks that spawn tasks; 0: all is one task
/// @throws on all ranks: a stop signal's Error
[[nodiscard]] Counts count(const Board& board, int depth, loadbalance::WorkPool& pool);

}  // namespace cairn::queens
