/// What stands in the way of a journal, in words.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "cairn/consensus/journal.hpp"

namespace cairn::consensus::journal {

/// Of one node. Empty texts and 0: nothing.
struct Trouble {
  std::string_view lost;     ///< why it does not vote
  std::string_view failure;  ///< why it is silent
  std::size_t writes = 0;    ///< that its disk lags behind with
};

/// Why this node, or all together, cannot do what a journal is for; empty when they can.
/// @param status  whose majority counts
[[nodiscard]] std::string trouble_of(const JournalOptions& options, const JournalStatus& status,
                                     const Trouble& trouble);

}  // namespace cairn::consensus::journal
