/// What a launch finds that those before it have left unsaid in the job journal. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cairn/consensus/journal_entry.hpp"

namespace cairn::ckpt {

/// The claim of the checkpoint directory before this launch's; incarnation 0: there was none.
struct FormerClaim {
  std::uint64_t incarnation = 0;
  enum class Kind : std::uint8_t { launch, tool, by_operator } kind = Kind::launch;
  bool is_released = false;
  std::string owner = {};  ///< for people
};

/// Entries to be added behind the launch's own: that an operator has taken the directory, that the
/// launch before has died, that the number of ranks is another one.
/// @param before  what the journal says up to this launch
/// @param launch  its entry
[[nodiscard]] std::vector<consensus::JournalEntry> left_unsaid(
    std::span<const consensus::JournalRecord> before, const FormerClaim& former,
    const consensus::JournalEntry& launch);

}  // namespace cairn::ckpt
