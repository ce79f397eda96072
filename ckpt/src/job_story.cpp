#include "job_story.hpp"

#include <ctime>
#include <utility>

namespace cairn::ckpt {

using consensus::JournalEntry;
using consensus::JournalRecord;
using Kind = JournalEntry::Kind;

namespace {

/// The last launch, and what has come of it.
struct LastLaunch {
  JournalEntry entry = {};
  bool has_ended = false;
  std::uint64_t epoch = 0;  ///< the newest that it committed, or began from
};

LastLaunch last_launch(std::span<const JournalRecord> before) {
  LastLaunch last;
  for (const auto& [index, term, entry] : before) {
    if (entry.kind == Kind::launch) last = {.entry = entry};
    if (entry.incarnation != last.entry.incarnation) continue;
    if (entry.kind == Kind::epoch || entry.kind == Kind::restart) last.epoch = entry.epoch;
    if (entry.kind == Kind::ending) last.has_ended = true;
  }
  return last;
}

/// What of a nonce is said in the journal: enough to tell launches of one job from each other.
std::string mark_of(const LaunchName& name) { return ", claim " + name.nonce.substr(0, 8); }

std::string counted(std::size_t count, const char* one, const char* many) {
  return std::to_string(count) + ' ' + (count == 1 ? one : many);
}

}  // namespace

std::string launch_text(int ranks, std::size_t hosts, const LaunchName& name) {
  return counted(static_cast<std::size_t>(ranks), "rank", "ranks") + " on " +
         counted(hosts, "node", "nodes") + mark_of(name);
}

bool is_launch_of(const JournalEntry& entry, const LaunchName& name) {
  return entry.kind == Kind::launch && entry.incarnation == name.incarnation &&
         !name.nonce.empty() && entry.text.ends_with(mark_of(name));
}

bool has_ended(std::span<const JournalRecord> records, const LaunchName& name) {
  bool has_ending = false;
  for (; !records.empty(); records = records.first(records.size() - 1)) {
    const auto& entry = records.back().entry;
    if (entry.kind == Kind::launch) return has_ending && is_launch_of(entry, name);
    if (entry.kind == Kind::ending && entry.incarnation == name.incarnation) has_ending = true;
  }
  return false;
}

std::vector<JournalEntry> left_unsaid(std::span<const JournalRecord> before,
                                      const FormerClaim& former, const JournalEntry& launch) {
  std::vector<JournalEntry> entries;
  const auto say = [&](JournalEntry entry) {
    entry.seconds = std::time(nullptr);
    entries.push_back(std::move(entry));
  };
  const auto last = last_launch(before);
  const bool has_died = last.entry.kind == Kind::launch && !last.has_ended;
  if (has_died) {
    say({.kind = Kind::fault,
         .incarnation = last.entry.incarnation,
         .epoch = last.epoch,
         .ranks = last.entry.ranks,
         .text = "the launch has ended without a word: killed, or its machine is gone"});
  }
  if (former.kind == FormerClaim::Kind::by_operator) {
    say({.kind = Kind::operation,
         .incarnation = former.incarnation,
         .text = "an operator took the checkpoint directory: " + former.owner});
  } else if (former.incarnation != 0 && former.kind == FormerClaim::Kind::launch &&
             !former.is_released && !is_launch_of(last.entry, {former.incarnation, former.nonce})) {
    // The last launch in the journal is another one, though its number may be the same. Where it is
    // this one there is nothing to add: it has died, or said why it would not release its claim.
    say({.kind = Kind::fault,
         .incarnation = former.incarnation,
         .text = "the launch has died, and nothing of it has come here: " + former.owner});
  }
  if (last.entry.kind == Kind::launch && last.entry.ranks != launch.ranks) {
    say({.kind = Kind::ranks,
         .incarnation = launch.incarnation,
         .ranks = launch.ranks,
         .text = std::to_string(launch.ranks) + " instead of " + std::to_string(last.entry.ranks)});
  }
  return entries;
}

}  // namespace cairn::ckpt
