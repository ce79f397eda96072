/// The shuffle: every token moves to the rank that its hash names, where its counts are added up.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cairn/collectives/communicator.hpp"
#include "cairn/mapreduce/count_table.hpp"

namespace cairn::mapreduce {

/// How much memory the exchange may take.
struct ShuffleOptions {
  /// What a rank sends, and receives, in a round, > 0. Takes three times as much, if there is as
  /// much to send; up to six times where nearly all goes to one rank. Larger saves rounds on many
  /// ranks.
  std::size_t round_bytes = std::size_t{8} << 20;
};

/// The rank of `ranks` to which a token with this hash belongs.
[[nodiscard]] inline int owner_of(std::uint64_t hash, int ranks) noexcept {
  // The upper half of the hash: the tables use the lower bits.
  return static_cast<int>(((hash >> 32) * static_cast<std::uint64_t>(ranks)) >> 32);
}

/// Adds up the counts of all ranks: afterwards each token stands in the table of one rank alone,
/// its owner_of(), with its final count.
///
/// Collective, blocking. Exchanges records in rounds of bounded size; a record may be longer than a
/// round.
/// @throws Error, agreed: unavailable when a rank runs out of memory; run_again or interrupted when
///         a rank was asked to stop
/// @par Cost  per round one all_reduce and one all_to_all_v; on one rank nothing
[[nodiscard]] CountTable shuffle(const Communicator& comm, CountTable table,
                                 const ShuffleOptions& options = {});

}  // namespace cairn::mapreduce
