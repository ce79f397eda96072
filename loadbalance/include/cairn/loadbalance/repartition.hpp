/// Objects that stay, and whose weights drift: new cuts of the curve on which they lie.
///
///     // each rank: objects in the order of their keys, and what each took, in nanoseconds
///     auto plan = repartition(comm, weights, {.steps = 50, .bytes_per_object = sizeof(Cell)});
///     if (plan.change.moves())
///       migrate(comm, cells, plan.destinations, [](const Cell& cell) { return cell.key; });
///
/// Key is where on Hilbert's curve an object is (hilbert.hpp), so that a rank's objects lie close
/// together; nothing here looks at it. Ranks have ranges of the curve, rank 0 the first, before and
/// after.
#pragma once

#include <cstdint>
#include <span>

#include "cairn/collectives/communicator.hpp"
#include "cairn/loadbalance/moving.hpp"

namespace cairn::loadbalance {

/// The least that the largest load can be when the objects are cut into `parts` ranges. Pure.
/// @param weights  0 or more, in the order of the curve, less than 2^62 together
/// @throws Error{Errc::usage} for less than one part, and for other weights
/// @par Cost  n + parts · log n · log(largest weight)
/// @par Source  Pinar, Aykanat, "Fast optimal load balancing algorithms for 1D partitioning",
///      J. Parallel Distrib. Comput. 64 (2004), doi:10.1016/j.jpdc.2004.05.003 (bisection with
///      probes; of integers, which makes it exact)
[[nodiscard]] std::int64_t least_largest_load(std::span<const std::int64_t> weights, int parts);

/// New ranges, and what they bring.
struct NewRanges {
  BalanceChange change;
  Ranges ranges;  ///< the old ones when no others are worth it
};

/// Ranges that take the least time, computing and moving together. Pure.
///
/// Between the least largest load that there is and the present one several limits are tried. For
/// each the cuts stay as near to the present ones as the limit lets them, and the change with the
/// greatest gain over its cost is taken: none, when no gain exceeds its cost. So small gains are
/// not paid for with large moves, and what free moves allow is exact.
///
/// @param weights  as above, of all objects
/// @param current  as Ranges says
/// @throws Error{Errc::usage} for negative weights or too large ones, ranges that are none, and
///         negative costs
/// @par Cost  as least_largest_load()
[[nodiscard]] NewRanges repartition(std::span<const std::int64_t> weights, const Ranges& current,
                                    const MovingCost& cost = {});

/// The same for objects of all ranks, whose weights stay where they are. Collective, blocking.
///
/// @param weights  of this rank's objects in their order, 0 or more, shape [n], n ≥ 0; less than
///                 2^62 / p together
/// @param cost     equal on all ranks
/// @throws Error{Errc::usage} on all ranks when one has a weight or cost that is none;
///         {mpi_failure} on the ranks where MPI reports one
/// @par Determinism  sums of integers: the ranges are those of the pure function, to the bit
/// @par Cost  a message of 1 KiB from each rank to the next, one rank after the other, for every 6
///      bits of the largest weight, and two more; 30 numbers a rank that all ranks learn
[[nodiscard]] Repartition repartition(const Communicator& comm,
                                      std::span<const std::int64_t> weights,
                                      const MovingCost& cost = {});

}  // namespace cairn::loadbalance
