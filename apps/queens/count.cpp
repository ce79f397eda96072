#include "count.hpp"

#include <algorithm>
#include <bit>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/program/program.hpp"

namespace cairn::queens {

namespace {

/// Counts what comes of a placement, which has free columns, and at least two rows more to fill.
/// Most placements have no free column: those are counted here, without a call of their own.
void count_below(const Board& board, const Placement& placement, std::uint32_t free,
                 Counts& counts) {
  const bool is_second_last = placement.rows + 2 == board.n();
  for (; free != 0; free &= free - 1) {
    ++counts.nodes;
    const Placement next = Board::with(placement, free & -free);
    const std::uint32_t next_free = board.free(next);
    if (next_free == 0) continue;
    if (is_second_last) {  // one column is left
      ++counts.nodes;
      ++counts.solutions;
    } else {
      count_below(board, next, next_free, counts);
    }
  }
}

}  // namespace

std::string describe(const Placement& placement) {
  std::string columns;
  for (std::uint32_t left = placement.columns; left != 0; left &= left - 1)
    columns += (columns.empty() ? "" : ", ") + std::to_string(std::countr_zero(left));
  return "of " + std::to_string(placement.rows) + " queens in columns {" + columns + "}";
}

Counts count(const Board& board, const Placement& placement) {
  Counts counts{1, board.is_full(placement) ? 1U : 0U};
  const std::uint32_t free = board.free(placement);
  if (placement.rows + 1 == board.n()) {
    if (free != 0) counts.merge({1, 1});
  } else if (!board.is_full(placement)) {
    count_below(board, placement, free, counts);
  }
  return counts;
}

int depth_for(int n) noexcept { return std::max(0, 2 * n / 3 - 4); }

Counts count(const Board& board, int depth, loadbalance::WorkPool& pool) {
  std::vector<Placement> roots;
  if (pool.comm().is_root()) roots.emplace_back();
  const auto search = [board, depth](const Placement& placement,
                                     loadbalance::Spawner<Placement>& spawner, Counts& counts) {
    program::throw_if_stopped();
    if (placement.rows >= depth) return counts.merge(count(board, placement));
    ++counts.nodes;
    board.each_next(placement, [&](const Placement& next) { spawner.push(next); });
  };
  const auto counts = pool.run<Placement, Counts>(roots, search);
  // A rank that is told to stop may have had no task since.
  together(pool.comm(), program::throw_if_stopped);
  return counts;
}

}  // namespace cairn::queens
