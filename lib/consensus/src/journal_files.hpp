/// The files of a journal's node when it starts: made, locked, judged, replaced by a copy.
#pragma once

#include <filesystem>
#include <optional>

#include "cairn/consensus/slot_file.hpp"
#include "cairn/core/file.hpp"
#include "journal_format.hpp"

namespace cairn::consensus {

struct JournalOptions;

namespace journal {

/// Whose directory the options speak of. @throws Error{Errc::usage} for nodes that cannot be
[[nodiscard]] Head head_of(const JournalOptions& options);

/// Makes the files of a node, and their directory. @throws Error{Errc::input_output} when there are
/// such files; permission when other users can write to the directory
void create_files(const std::filesystem::path& directory, const Head& head);

/// A directory that nobody else has, and what it says.
struct OpenFiles {
  File lock;  ///< of the directory, for as long as it is open
  Recovered recovered = {};
  std::optional<SlotFile> slots = {};  ///< none: what is there now is a copy
};

/// What Raft starts from.
[[nodiscard]] consensus::Recovered<RaftDurable> raft_state(const Recovered& recovered);

/// Locks the directory and judges its files. Where they cannot be trusted, a log that says so has
/// taken the place of the old one when this returns; a crash before leaves files that cannot be
/// trusted either.
/// @throws Error{Errc::unavailable} when another replica has the directory; usage when it is
///         that of another node or job; permission when other users can write to it; bad_data for
///         a log that is no regular file; what says that files cannot be opened
[[nodiscard]] OpenFiles open_files(const std::filesystem::path& directory, const Head& head);

}  // namespace journal

}  // namespace cairn::consensus
