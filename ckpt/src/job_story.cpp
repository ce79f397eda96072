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

}  // namespace

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
             !former.is_released && !(has_died && last.entry.incarnation == former.incarnation)) {
    // Numbers begin again with a new checkpoint directory, so an older launch may have this one.
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
