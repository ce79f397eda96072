/// Counting the tokens of files on all ranks: the header to start with.
///
///     const InputList list = list_inputs(comm, inputs);
///     ReadStatistics read;
///     CountTable mine = count_tokens(comm, list, read);           // each rank its split
///     CountTable owned = shuffle(comm, std::move(mine));          // each rank its tokens
///     const auto part = together(comm, [&] { return SortedCounts(std::move(owned)); });
///     merge_sorted(comm, part, [&](const TokenCount& t) { …; return true; });   // rank 0: all
#pragma once

#include "cairn/collectives/communicator.hpp"
#include "cairn/mapreduce/count_table.hpp"
#include "cairn/mapreduce/input.hpp"
#include "cairn/mapreduce/merge.hpp"
#include "cairn/mapreduce/pulse.hpp"
#include "cairn/mapreduce/read.hpp"
#include "cairn/mapreduce/shuffle.hpp"
#include "cairn/mapreduce/sorted_counts.hpp"

namespace cairn::mapreduce {

/// How count_tokens() works.
struct CountOptions {
  ReadOptions read;
  Pulse::Progress progress;  ///< called on rank 0 with the bytes read from disk by all ranks
};

/// Counts the tokens of this rank's split of the plain files and of its share of the gzip files.
///
/// Collective, blocking. A file ends its last token; a token that crosses a split is counted by the
/// rank in whose split it begins. The only memory that grows is the table.
/// @param read_by_all  out: what all ranks together have read, equal on every rank
/// @throws Error, agreed: no_input, permission, input_output, bad_data, naming the file, when one
///         cannot be read or has changed since it was listed; unavailable when a rank runs out of
///         memory; run_again or interrupted when a rank
///         was asked to stop. The other ranks leave within about a second.
/// @par Determinism  the sum of the tables depends on the text alone
[[nodiscard]] CountTable count_tokens(const Communicator& comm, const InputList& list,
                                      ReadStatistics& read_by_all,
                                      const CountOptions& options = {});

}  // namespace cairn::mapreduce
