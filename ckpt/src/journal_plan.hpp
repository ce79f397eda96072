/// Which host keeps which node of the job journal. Pure, but for the file that names the journal.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/consensus/journal_reader.hpp"

namespace cairn::ckpt {

/// The file in the checkpoint directory that says which journal is its own.
struct JournalFile {
  static constexpr const char* file_name = "journal";

  consensus::JournalIdentity identity = {};
  int nodes = 0;
  enum class State {
    begun,  ///< directories may lack, and none has an entry
    made    ///< all were made: one that is missing is lost
  } state = State::begun;

  friend bool operator==(const JournalFile&, const JournalFile&) = default;
};

/// Local. Nothing for a file that is not there, or says nothing.
[[nodiscard]] std::optional<JournalFile> read_journal_file(const std::filesystem::path& directory);
/// Atomic and durable. Local.
void write_journal_file(const std::filesystem::path& directory, const JournalFile& file);

/// An identity that no other journal has. Journals of one checkpoint directory share its first
/// half, so that one of another job is told from an older one. Local.
[[nodiscard]] consensus::JournalIdentity fresh_journal_identity(
    const std::filesystem::path& checkpoint_directory);

/// Who keeps what. Hosts are numbered in the order of their lowest rank.
struct JournalPlan {
  consensus::JournalIdentity identity = {};
  int nodes = 0;                      ///< 0: nobody can keep one
  bool is_new = false;                ///< the directories are to be made
  std::vector<int> node_of_host;      ///< -1: none
  std::vector<char> has_remains;      ///< of each host: files of a journal that was never finished
  bool is_majority_lost = false;      ///< and `warnings` say so
  std::vector<std::string> warnings;  ///< sentences for people

  friend bool operator==(const JournalPlan&, const JournalPlan&) = default;
};

/// What the hosts' directories are.
struct FoundHeads {
  std::vector<std::optional<consensus::JournalHead>> heads = {};
  std::vector<char> unreadable = {};  ///< of each host: nobody knows what is there; empty: none is
};

/// Each directory that is found keeps its number; numbers that nobody has are given to hosts
/// without one, whose directories then are copies. When a host is back whose number was given away,
/// two have that number: the original has it, or the copy of the lowest host, and the others keep
/// nothing in this launch. A host whose directory cannot be read keeps nothing either. A new
/// journal has an odd number of nodes, as one more bears no more losses, up to 9.
///
/// @param file   what the checkpoint directory says
/// @param found  the hosts' directories
/// @param hosts  their names, for messages
/// @param fresh  the identity of a new journal
/// @throws Error{Errc::usage} for directories of another job
[[nodiscard]] JournalPlan plan_journal(const std::optional<JournalFile>& file,
                                       const FoundHeads& found,
                                       const std::vector<std::string>& hosts,
                                       const consensus::JournalIdentity& fresh);

}  // namespace cairn::ckpt
