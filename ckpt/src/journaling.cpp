// What a Checkpointer says to the job journal.

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <thread>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/signals.hpp"
#include "cairn/consensus/fence.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/file.hpp"
#include "checkpointer_implementation.hpp"

namespace cairn::ckpt {

using Kind = consensus::JournalEntry::Kind;

namespace {

/// How long the end waits for entries to become final: CAIRN_JOURNAL_SECONDS, for tests on machines
/// that are busy, or else `patience`.
JournalKeeper::Patience patience_or(JournalKeeper::Patience patience) {
  const char* const seconds = std::getenv("CAIRN_JOURNAL_SECONDS");
  if (seconds != nullptr && std::atoi(seconds) > 0)
    patience.with_majority = std::chrono::seconds(std::atoi(seconds));
  return patience;
}

}  // namespace

/// Before this launch claims the directory: who has it. Rank 0.
void Checkpointer::Implementation::find_former_claim() {
  if (options_.journal_directory.empty() || !is_there(options_.directory)) return;
  const auto owner = consensus::owner(options_.directory);
  if (!owner) return;
  former_claim_ = {.incarnation = owner->incarnation,
                   .is_released = owner->is_released,
                   .owner = "nobody can tell who",
                   .nonce = {}};
  if (!owner->claim) return;
  using Claimant = consensus::Claimant::Kind;
  const auto kind = owner->claim->owner.kind;
  former_claim_.kind = kind == Claimant::by_operator ? FormerClaim::Kind::by_operator
                       : kind == Claimant::tool      ? FormerClaim::Kind::tool
                                                     : FormerClaim::Kind::launch;
  former_claim_.owner = consensus::describe(owner->claim->owner);
  former_claim_.nonce = owner->claim->owner.nonce;
}

/// Collective.
void Checkpointer::Implementation::open_journal() {
  if (!is_on() || options_.journal_directory.empty()) return;
  LaunchName launch;
  if (store_) launch = {.incarnation = store_->incarnation(), .nonce = store_->nonce()};
  journal_.emplace(comm_, domains_,
                   JobJournalOptions{.directory = options_.journal_directory,
                                     .checkpoint_directory = options_.directory,
                                     .launch = launch,
                                     .former = former_claim_});
  for (const auto& warning : journal_->warnings()) warn(warning);
}

/// Every rank may say it: one of them writes it down.
void Checkpointer::Implementation::note(Kind kind, std::uint64_t epoch, std::string text) {
  if (journal_) journal_->append(kind, epoch, std::move(text));
}

void Checkpointer::Implementation::note_restart() {
  note(Kind::restart, epoch_.value_or(0),
       epoch_ ? "from step " + std::to_string(saved_step_.value_or(0)) : "from the start");
}

void Checkpointer::Implementation::tell_trouble_of_journal() {
  if (!journal_) return;
  const auto trouble = journal_->take_trouble();
  if (trouble.empty()) return;
  warn(trouble);
  if (!comm_.is_root() && options_.last_words)
    options_.last_words("[rank " + std::to_string(comm_.rank()) + "] " + trouble);
}

/// Told before a thread ends the process, and written down.
Watchdog::Tell Checkpointer::Implementation::last_words() {
  return [this](std::string_view why) {
    constexpr std::chrono::milliseconds second(1000);
    constexpr std::chrono::milliseconds moment(300);
    const auto say = [&] {
      if (options_.last_words) options_.last_words(why);
    };
    if (comm_.is_root() || !journal_) say();
    if (!journal_) return;
    journal_->end_for_all("exit code 75: " + std::string(why), patience_or({second, second}));
    if (comm_.is_root()) return;
    // One line is enough: with the exit of a rank that has said it the launcher ends the others.
    std::this_thread::sleep_for(moment);
    say();
  };
}

/// Not collective: the ranks may come here one after the other, or one may never come.
void Checkpointer::Implementation::end_journal() noexcept {
  if (!journal_) return;
  (void)detail::error_of([&] {
    tell_trouble_of_journal();
    if (std::uncaught_exceptions() > exceptions_) {
      const bool do_all_leave = left_with_ && left_with_->agreed();
      constexpr std::chrono::milliseconds moment(500);
      journal_->end(left_with_ ? std::string("error: ") + left_with_->what()
                               : std::string("an error of the program"),
                    patience_or(do_all_leave ? JournalKeeper::Patience{}
                                             : JournalKeeper::Patience{moment, moment}));
    } else if (stop_signal_ == SIGXCPU) {
      journal_->end("stopped: the time limit is near", patience_or({}));
    } else if (stop_signal_ != 0) {
      journal_->end("stopped on request (" + name_of_signal(stop_signal_) + ")", patience_or({}));
    } else {
      journal_->end("in order", patience_or({}));
    }
    tell_trouble_of_journal();
  });
}

}  // namespace cairn::ckpt
