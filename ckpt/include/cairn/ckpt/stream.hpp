/// A distributed array as one stream through rank 0, in global order; and its digest.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "cairn/ckpt/block.hpp"
#include "cairn/collectives/communicator.hpp"

namespace cairn::ckpt {

/// Takes consecutive rows (along axis 0) of the global array: the first row's number, and their
/// values, row-major.
using RowConsumer = std::function<void(std::size_t first, std::span<const double> values)>;

/// Hands all rows of the array to `consume` on rank 0, in global order, about 1 MiB at a time.
///
///     rank 0 | rank 1       consume(0, rows 0 … k-1)   of ranks 0 and 1
///     -------+-------       consume(k, rows k … 2k-1)  of all four, where the ranks' border lies
///     rank 2 | rank 3       …                          in it
///
/// Collective, blocking.
/// @param storage  this rank's block with its ghosts, as for Checkpointer::field()
/// @param block    this rank's part; the blocks of all ranks tile the global array
/// @throws what `consume` throws, agreed, on all ranks, after the last row has passed;
/// Error{Errc::internal}, agreed, when the blocks do not tile the array, or do not fit the storage
/// @par Cost  1 MiB (or one row) on rank 0, whatever the size of the array; every value is sent
/// once
void stream_rows(const Communicator& comm, std::span<const double> storage, const Block& block,
                 const RowConsumer& consume);

/// XXH3-128 of the array's bytes in global row-major order (little-endian doubles), as
/// `xxhsum -H2` prints it for a file of these bytes: 32 hexadecimal digits. Equal on all ranks.
///
/// Collective, blocking; parameters, errors and cost as for stream_rows().
/// @par Determinism  a function of the global array alone, not of how it is cut
[[nodiscard]] std::string digest(const Communicator& comm, std::span<const double> storage,
                                 const Block& block);

}  // namespace cairn::ckpt
