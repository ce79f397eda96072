/// Lists of numbers from every rank to every other, whose lengths only the senders know.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cairn/collectives/communicator.hpp"

namespace cairn::cg {

/// What came, in the order of the ranks.
struct Incoming {
  std::vector<std::uint64_t> words;
  std::vector<int> counts;  ///< from each rank
};

/// Sends `to[r]` to rank r, this one included. Collective, blocking; meant for the set-up.
/// @param to  shape [p]
/// @throws Error{Errc::usage}, agreed, when a rank sends or receives more than 2^31 - 1 words
/// @par Cost  an all_to_all of the counts, an all_to_all_v of the words; a copy of what is sent
[[nodiscard]] Incoming exchange_lists(const Communicator& comm,
                                      const std::vector<std::vector<std::uint64_t>>& to);

}  // namespace cairn::cg
