#include "cairn/consensus/journal_reader.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "cairn/consensus/quorum.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/private_files.hpp"
#include "journal_format.hpp"

namespace cairn::consensus {

namespace fs = std::filesystem;

namespace {

/// The bytes of a file, or why there are none. What is there and cannot be read is not lost.
struct Read {
  std::string bytes = {};
  std::optional<Error> error = {};

  [[nodiscard]] bool is_barred() const { return error && error->code() != Errc::no_input; }
};

Read bytes_of(const fs::path& path) {
  try {
    return {.bytes = read_regular_file(path)};
  } catch (const Error& error) {
    return {.error = error};
  }
}

struct Found {
  journal::Recovered recovered = {};
  std::optional<Error> error = {};  ///< of a file that is there and cannot be read
};

Found recover(const fs::path& directory) {
  const auto log = bytes_of(directory / journal::log_name);
  const auto file = bytes_of(directory / journal::slots_name);
  auto contents = journal::parse_log(std::as_bytes(std::span(log.bytes)));
  RecoveredSlots slots;
  slots.why = "its record is missing";
  if (!file.error && contents.head)
    slots =
        recover_slots(std::as_bytes(std::span(file.bytes)), journal::slot_identity(*contents.head));
  Found found{.recovered = journal::judge(std::move(contents), slots)};
  if (file.is_barred()) found.error = file.error;
  if (log.is_barred()) found.error = log.error;
  if (found.error) found.recovered.why = found.error->what();
  return found;
}

/// What the directories have in common, as they are added.
class Merger {
 public:
  void add(const fs::path& path) {
    auto [recovered, error] = recover(path);
    if (error && !error_) error_ = error;
    JournalDirectory directory{.path = path,
                               .counts = recovered.state != journal::Recovered::State::unreadable,
                               .why = recovered.why,
                               .damaged_bytes = recovered.log.damaged_bytes};
    if (const auto& head = recovered.log.head) {
      check_same(path, *head);
      directory.node = head->node;
      if (directory.counts) counting_.insert(head->node);
      add_finals(path, recovered.log, directory);
      texts_.merge(recovered.log.texts);
      if (recovered.state == journal::Recovered::State::valid) consider(recovered.durable);
    }
    view_.directories.push_back(std::move(directory));
  }

  JournalView finish() {
    if (!head_ && error_) throw Error(*error_);
    if (!head_) throw Error(Errc::no_input, "there is no journal in " + names());
    view_.nodes = static_cast<int>(head_->nodes);
    view_.counting = static_cast<int>(counting_.size());
    view_.is_complete = view_.counting >= majority(view_.nodes);
    const auto chain = journal::chained(finals_);
    for (const auto& item : chain) tell(view_.entries, item.index, item.entry);
    if (best_)
      for (auto index = best_->first(); index <= best_->last(); ++index)
        if (index > chain.size()) tell(view_.unsure, index, best_->at(index));
    if (!view_.is_complete)
      view_.trouble = "the majority is lost: " + std::to_string(view_.counting) + " of " +
                      std::to_string(view_.nodes) + " directories are whole, " +
                      std::to_string(majority(view_.nodes)) +
                      " are needed; newer entries may be missing";
    return std::move(view_);
  }

 private:
  void check_same(const fs::path& path, journal::Head head) {
    if (head_ && (head_->identity != head.identity || head_->nodes != head.nodes))
      throw Error(Errc::bad_data, path.string() + " belongs to another journal than " +
                                      view_.directories.front().path.string());
    if (!head_) head_ = head;
  }

  void add_finals(const fs::path& path, const journal::LogContents& log,
                  JournalDirectory& directory) {
    for (const auto& [index, item] : log.finals) {
      const auto [place, is_new] = finals_.emplace(index, item);
      if (!is_new && place->second != item)
        throw Error(Errc::bad_data, path.string() + " contradicts another directory about entry " +
                                        std::to_string(index));
      directory.final_index = index;
    }
  }

  /// The log that the next leader would have, of those that are here.
  void consider(const RaftDurable& durable) {
    const auto& log = durable.log;
    if (!best_ ||
        std::pair(log.last_term(), log.last()) > std::pair(best_->last_term(), best_->last()))
      best_ = log;
  }

  void tell(std::vector<JournalRecord>& to, std::uint64_t index, const RaftEntry& entry) {
    if (entry.kind != RaftEntry::Kind::command || !told_.insert(entry.command).second) return;
    const auto text = texts_.find(entry.command);
    JournalEntry lost{.text = "its text is lost"};
    to.push_back({index, entry.term, text == texts_.end() ? lost : decode_entry(text->second)});
  }

  [[nodiscard]] std::string names() const {
    std::string names;
    for (const auto& directory : view_.directories)
      names += (names.empty() ? "" : ", ") + directory.path.string();
    return names;
  }

  JournalView view_;
  std::optional<journal::Head> head_;
  std::optional<Error> error_;  // the first of a file that is there and cannot be read
  std::set<NodeIndex> counting_;
  std::map<std::uint64_t, journal::Final> finals_;
  std::map<journal::TextDigest, std::string> texts_;
  std::set<journal::TextDigest> told_;
  std::optional<RaftLog> best_;
};

}  // namespace

JournalView read_journal(std::span<const fs::path> directories) {
  Merger merger;
  for (const auto& directory : directories) merger.add(directory);
  return merger.finish();
}

}  // namespace cairn::consensus
