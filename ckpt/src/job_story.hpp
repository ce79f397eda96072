/// What a launch finds that those before it have left unsaid in the job journal. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cairn/consensus/journal_entry.hpp"

namespace cairn::ckpt {

/// Which launch: incarnations begin again with a new checkpoint directory, so the nonce of its
/// claim goes with the number.
struct LaunchName {
  std::uint64_t incarnation = 0;
  std::string nonce = {};  ///< hexadecimal; empty: not known
};

/// What the entry of a launch says: "4 ranks on 2 nodes, claim 0123abcd".
[[nodiscard]] std::string launch_text(int ranks, std::size_t hosts, const LaunchName& name);

/// Whether the entry is that of the launch.
[[nodiscard]] bool is_launch_of(const consensus::JournalEntry& entry, const LaunchName& name);

/// Whether the journal has an ending behind the entry of the launch, which is the last one.
[[nodiscard]] bool has_ended(std::span<const consensus::JournalRecord> records,
                             const LaunchName& name);

/// The claim of the checkpoint directory before this launch's; incarnation 0: there was none.
struct FormerClaim {
  std::uint64_t incarnation = 0;
  enum class Kind : std::uint8_t { launch, tool, by_operator } kind = Kind::launch;
  bool is_released = false;
  std::string owner = {};  ///< for people
  std::string nonce = {};  ///< empty when it cannot be read
};

/// Entries to be added behind the launch's own: that an operator has taken the directory, that the
/// launch before has died, that the number of ranks is another one.
/// @param before  what the journal says up to this launch
/// @param launch  its entry
[[nodiscard]] std::vector<consensus::JournalEntry> left_unsaid(
    std::span<const consensus::JournalRecord> before, const FormerClaim& former,
    const consensus::JournalEntry& launch);

}  // namespace cairn::ckpt
