#include "journal_book.hpp"

namespace cairn::consensus::journal {

Book::Book(const LogContents& log) : texts_(log.texts) {
  for (const auto& final_entry : chained(log.finals)) {
    const auto& entry = final_entry.entry;
    if (entry.kind == RaftEntry::Kind::command && !has_text(entry.command)) break;
    keep(final_entry);
  }
}

std::string_view Book::text(const TextDigest& digest) const {
  const auto found = texts_.find(digest);
  return found == texts_.end() ? std::string_view() : std::string_view(found->second);
}

void Book::remember(std::string_view text) {
  if (texts_.emplace(digest_of(text), text).second) append_text(unwritten_, text);
}

bool Book::is_next(const Final& final_entry) const {
  const auto before = finals_.empty() ? 0 : finals_.back().digest;
  return final_entry.index == last() + 1 &&
         raft_digest(before, final_entry.entry) == final_entry.digest;
}

void Book::add(const Final& final_entry) {
  append_final(unwritten_, final_entry);
  keep(final_entry);
}

void Book::keep(const Final& final_entry) {
  finals_.push_back(final_entry);
  const auto& entry = final_entry.entry;
  if (entry.kind != RaftEntry::Kind::command) return;
  // Leaders see to it that no text is twice in a log; if one is, it counts once, here and in
  // readers.
  if (!commands_.insert(entry.command).second) return;
  entries_.push_back({final_entry.index, entry.term, decode_entry(texts_.at(entry.command))});
}

}  // namespace cairn::consensus::journal
