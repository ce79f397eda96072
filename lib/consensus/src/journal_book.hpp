/// What a node of a journal knows: texts, final entries, and what of that is still to be written.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "journal_format.hpp"

namespace cairn::consensus::journal {

class Book {
 public:
  Book() = default;
  /// From what stood on the disk, as far as it hangs together.
  explicit Book(const LogContents& log);

  [[nodiscard]] bool has_text(const TextDigest& digest) const { return texts_.contains(digest); }
  /// The text of an entry; empty for one that is not there.
  [[nodiscard]] std::string_view text(const TextDigest& digest) const;
  /// Writes a text down, so that this node may vouch for entries that point to it.
  void remember(std::string_view text);

  [[nodiscard]] std::uint64_t last() const noexcept { return finals_.size(); }
  [[nodiscard]] const Final& at(std::uint64_t index) const { return finals_[index - 1]; }
  [[nodiscard]] bool is_final(const TextDigest& command) const {
    return commands_.contains(command);
  }
  /// Whether it is the next one of the chain.
  [[nodiscard]] bool is_next(const Final& final_entry) const;
  /// Adds the next one, whose text is there.
  void add(const Final& final_entry);

  [[nodiscard]] const std::vector<JournalRecord>& entries() const noexcept { return entries_; }
  /// The bytes for the log since the last call.
  [[nodiscard]] Bytes take_unwritten() { return std::exchange(unwritten_, {}); }
  [[nodiscard]] bool has_unwritten() const noexcept { return !unwritten_.empty(); }

 private:
  void keep(const Final& final_entry);

  std::map<TextDigest, std::string> texts_;
  std::vector<Final> finals_;  // from index 1, without gaps, behind no snapshot of Raft's
  std::set<TextDigest> commands_;
  std::vector<JournalRecord> entries_;
  Bytes unwritten_;
};

}  // namespace cairn::consensus::journal
