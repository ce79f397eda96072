/// The journal of a job that does not run, from its nodes' directories.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cairn/consensus/journal_entry.hpp"

namespace cairn::consensus {

/// Whose directory it is.
struct JournalHead {
  JournalIdentity identity = {};
  transport::NodeIndex node = 0;
  int nodes = 0;
  bool is_copy = false;  ///< made in the place of a lost one: it does not vote

  friend bool operator==(const JournalHead&, const JournalHead&) = default;
};

/// Reads the first bytes of a directory's log; nothing when there is none, or it is damaged. Local.
/// @throws Error{Errc::permission} when other users can write to the directory; bad_data for a log
///         that is a link or a pipe; what says that it cannot be read
[[nodiscard]] std::optional<JournalHead> read_journal_head(const std::filesystem::path& directory);

/// What one directory says.
struct JournalDirectory {
  std::filesystem::path path = {};
  transport::NodeIndex node = -1;   ///< -1: it does not say
  bool counts = false;              ///< whole: it knows what it has promised
  std::string why = {};             ///< it does not count
  std::uint64_t final_index = 0;    ///< of the last entry that it has as final
  std::uint64_t damaged_bytes = 0;  ///< of its log, passed over
};

/// What all of them say together.
struct JournalView {
  int nodes = 0;                            ///< of the journal
  int counting = 0;                         ///< whose directories are there and whole
  bool is_complete = false;                 ///< a majority: nothing that was ever final is missing
  std::vector<JournalRecord> entries = {};  ///< known to be final
  std::vector<JournalRecord> unsure = {};   ///< behind them; the next leader may drop these
  std::vector<JournalDirectory> directories = {};
  std::string trouble = {};  ///< a sentence for people; empty when is_complete
};

/// Reads directories, whatever state they are in. Local; writes nothing. With a minority of them it
/// shows what it can, and says that it may be a part. While the job runs, what is being written may
/// look damaged.
///
/// A directory that cannot be read does not count, and says why; the others are read all the same.
///
/// @throws Error{Errc::no_input} when none of them holds a journal, or what says why none could be
///         read; bad_data when they are of
///         different journals or contradict each other
[[nodiscard]] JournalView read_journal(std::span<const std::filesystem::path> directories);

}  // namespace cairn::consensus
