// The end of a save: the ranks decide, rank 0 publishes.

#include <fcntl.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/core/file.hpp"
#include "cairn/trace/trace.hpp"
#include "checkpointer_implementation.hpp"

namespace cairn::ckpt {

namespace {

Failpoint after_commit{"ckpt.committed"};

}  // namespace

std::vector<ValueRecord> Checkpointer::Implementation::values_now() const {
  std::vector<ValueRecord> values;
  for (const auto& value : values_) {
    values.push_back({value.name, value.type,
                      std::vector<std::byte>(value.data, value.data + size_of(value.type))});
  }
  return values;
}

/// What is the same for an epoch of either tier, but for its number, step and values.
void Checkpointer::Implementation::describe(EpochRecord& record,
                                            std::vector<std::vector<PartRecord>> parts) const {
  record.program = options_.program;
  record.identity = options_.identity;
  record.incarnation = store_ ? store_->incarnation() : 0;
  record.launch = launch_number();
  record.ranks = comm_.size();
  record.parent = epoch_;
  for (std::size_t f = 0; f < fields_.size(); ++f) {
    const auto& field = fields_[f];
    record.fields.push_back(
        {field.name, field.type, field.block.global, 0, std::move(parts[f]), {}, {}});
  }
}

/// Rank 0 completes the record, publishes it, and only then retires older epochs.
void Checkpointer::Implementation::commit(std::vector<std::vector<PartRecord>> parts) {
  const trace::Span span("ckpt.commit");
  if (!cipher_) next_.job = job_.empty() ? random_job_id() : job_;
  describe(next_, std::move(parts));
  describe_chunks(next_, plans_);
  for (std::size_t f = 0; f < fields_.size(); ++f) next_.fields[f].offset_bytes = offsets_bytes_[f];
  if (cipher_) {
    next_.seal->structure_mac =
        cipher_->structure_mac(File(data_path_, O_RDONLY | O_NOFOLLOW), next_);
    seal_values(next_, cipher_);
  }
  store_->publish(next_);
  job_ = next_.job;
  trace::instant("epoch.committed", static_cast<std::int64_t>(next_.epoch));
}

/// A run that saves without having restored must not retire the epochs of another one. Rank 0.
void Checkpointer::Implementation::refuse_to_bury() const {
  for (const auto& found : store_->find()) {
    if (!found.problem.empty()) continue;
    const auto record = parse_record(found.text);
    if (record.seal && !key_) {
      throw Error(Errc::permission,
                  options_.directory.string() +
                      " holds encrypted epochs, and no key was given; give it, or "
                      "choose another checkpoint directory");
    }
    if (record.program == options_.program && record.identity == options_.identity) return;
    throw Error(Errc::bad_data, options_.directory.string() +
                                    " holds epochs of another run (program '" + record.program +
                                    "', '" + record.identity +
                                    "'); choose another checkpoint directory");
  }
}

/// Names the epoch in the vote. One that was given up leaves its number to the next, so attempts
/// are counted.
consensus::EpochId Checkpointer::Implementation::ballot_id(std::uint64_t epoch) {
  return {.incarnation = incarnation_, .epoch = epoch, .layout = ++votes_};
}

/// All ranks are here: nobody need be watched for.
void Checkpointer::Implementation::note_meeting() {
  watchdog_.reset();
  const auto now = pacing_clock();
  longest_apart_ = std::max(longest_apart_, now - met_at_);
  met_at_ = now;
}

/// After the last save: who was given up on may yet be on its way.
void Checkpointer::Implementation::settle() {
  wait();
  if (!watchdog_) return;  // equal on all ranks
  barrier(comm_);          // a rank that never comes is watched for meanwhile
  note_meeting();
}

/// After so long without the others the process ends. They may compute as long as they have before,
/// and one rank says it first.
double Checkpointer::Implementation::watch_seconds() const {
  if (!vote_ || options_.patience_seconds <= 0) return 0;
  return 2 * options_.patience_seconds + longest_apart_ + std::min(0.1 * comm_.rank(), 2.0);
}

/// Where all ranks have met, but for the vote, a rank that hangs costs the run.
/// @param what  becomes of the checkpoint; @param more_seconds  that honest work may take
Watchdog Checkpointer::Implementation::watch(const std::string& what, double more_seconds) {
  const double seconds = watch_seconds();
  return Watchdog(seconds > 0 ? seconds + more_seconds : 0,
                  "[rank " + std::to_string(comm_.rank()) +
                      "] a rank hangs while a checkpoint is " + what +
                      "; the run ends, run the same command again",
                  last_words());
}

/// That honest ranks may take between their meeting and their writing: they compress or copy their
/// own data, and rank 0 makes a file for all of them.
double Checkpointer::Implementation::preparing_seconds() const {
  constexpr double own_bytes_per_second = 10e6;
  constexpr double all_bytes_per_second = 1e9;
  constexpr double seconds_of_names = 10;  // files made and removed, where others are busy, too
  double own = 0;
  double all = 0;
  for (const auto& field : fields_) {
    const auto element = static_cast<double>(size_of(field.type));
    own += element * static_cast<double>(volume(field.block.count));
    all += element * static_cast<double>(volume(field.block.global));
  }
  return seconds_of_names + own / own_bytes_per_second + all / all_bytes_per_second;
}

/// A rank that may never come back must not be waited for, so nothing here is collective.
void Checkpointer::Implementation::give_up_on_silent_ranks(std::uint64_t epoch,
                                                           std::uint64_t step) {
  saved_step_.reset();
  std::ostringstream silent;
  silent << "nothing was heard for " << options_.patience_seconds << " s of rank";
  for (const int rank : vote_->silent_ranks()) silent << ' ' << rank;
  note(consensus::JournalEntry::Kind::fault, epoch,
       "the checkpoint of step " + std::to_string(step) + " is given up: " + silent.str());
  if (++given_up_in_a_row_ >= options_.most_given_up) {
    throw Error(Errc::run_again, silent.str() + ", and this is checkpoint " +
                                     std::to_string(given_up_in_a_row_) +
                                     " in a row that is given up; run the same command again");
  }
  warn("the checkpoint of step " + std::to_string(step) +
       " is given up, and the run goes on: " + silent.str());
  watchdog_.emplace(watch_seconds(),
                    "[rank " + std::to_string(comm_.rank()) + "] " + silent.str() +
                        " while a checkpoint was written, nor since; the run ends, run the same " +
                        "command again",
                    last_words());
}

/// Who has taken over removes what this launch was writing: throws that instead of what came of it.
/// Collective if the error is agreed.
void Checkpointer::Implementation::blame_successor(const Error& error) {
  if (!error.agreed()) return;
  const Watchdog watchdog = watch("given up", 0);
  together(comm_, [&] {
    if (!store_) return;
    const auto fenced = detail::error_of([&] { store_->check_owner(); });
    if (fenced && fenced->code() == Errc::unavailable) throw Error(*fenced);
  });
}

/// Makes an epoch of what `write` has written on every rank; false when it is given up since a rank
/// did not come.
bool Checkpointer::Implementation::complete(
    const std::function<std::vector<std::uint32_t>()>& write) {
  try {
    std::vector<std::uint32_t> crcs;
    const auto problem = detail::error_of([&] { crcs = write(); });
    if (vote_ && !vote_->all_are_here(ballot_id(next_.epoch))) {
      if (problem && options_.last_words) options_.last_words(problem->what());  // nobody else does
      if (store_) store_->discard(next_.epoch);
      pacing_.failed(epoch_begin_);
      give_up_on_silent_ranks(next_.epoch, next_.step);
      return false;
    }
    const Watchdog watchdog = watch("committed", 0);
    given_up_in_a_row_ = 0;
    agree(comm_, problem);
    auto parts = gather_parts(comm_, fields_, *boxes_, crcs, cipher_ ? Sealed::yes : Sealed::no,
                              Digests::of_chunks);
    together(comm_, [&] {
      if (store_) commit(std::move(parts));
    });
  } catch (const Error& error) {
    saved_step_.reset();
    if (store_) store_->discard(next_.epoch);
    blame_successor(error);
    throw;
  }
  epoch_ = next_.epoch;
  note(consensus::JournalEntry::Kind::epoch, next_.epoch, "step " + std::to_string(next_.step));
  if (is_incremental()) {
    // The newest epochs stay, one is the spare, and one may just be retired.
    written_.note(next_.epoch, std::move(pieces_now_), static_cast<std::size_t>(options_.keep) + 2);
    trace::counter("ckpt.unchanged_bytes", static_cast<double>(unchanged_bytes_));
  }
  together(comm_, [&] { after_commit.check("end the save of an epoch"); });
  if (!store_) return true;
  if (const auto problem =
          detail::error_of([&] { store_->retire(options_.keep, damaged_, &*spare_); })) {
    warn(std::string("an old epoch could not be removed: ") + problem->what());
  }
  return true;
}

}  // namespace cairn::ckpt
