/// Merging the sorted parts of all ranks into one sorted stream on rank 0.
#pragma once

#include <cstddef>
#include <functional>

#include "cairn/collectives/communicator.hpp"
#include "cairn/mapreduce/sorted_counts.hpp"

namespace cairn::mapreduce {

/// How much memory the merge may take.
struct MergeOptions {
  std::size_t chunk_bytes = std::size_t{1} << 20;   ///< of a message at most, > 0, < 2^31
  std::size_t total_bytes = std::size_t{64} << 20;  ///< of all messages in flight together, > 0
};

/// Gets the records in the order of the output; false: enough, the rest is not wanted.
using CountConsumer = std::function<bool(const TokenCount&)>;

/// Hands the tokens of all ranks to `consume` on rank 0, by falling count, then by rising bytes.
///
/// Collective, blocking. The other ranks' `consume` is not called. Parts are fetched chunk by
/// chunk, as rank 0 needs them: bounded memory, however many tokens there are.
/// @throws Error, agreed: what `consume` throws; unavailable when a rank runs out of memory;
/// run_again or interrupted when a rank was asked to
///         stop
/// @par Determinism  the stream depends on the tokens and their counts alone, not on where they are
/// @par Cost  log2 p comparisons a token on rank 0
void merge_sorted(const Communicator& comm, const SortedCounts& part, const CountConsumer& consume,
                  const MergeOptions& options = {});

}  // namespace cairn::mapreduce
