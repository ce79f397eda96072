// The restore of a Checkpointer.

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/trace/trace.hpp"
#include "checkpointer_implementation.hpp"
#include "cut.hpp"
#include "data_file.hpp"

namespace cairn::ckpt {

namespace {

Failpoint at_restore{"ckpt.restore.begin"};
Failpoint before_restore_open{"ckpt.restore.open"};
Failpoint before_restore_read{"ckpt.restore.read"};

/// A program, in a message.
std::string named(const std::string& program) {
  return program.empty() ? "a program without a name" : "program '" + program + "'";
}

}  // namespace

/// The same verdict on every rank, since every rank has the same record and the same registrations.
void Checkpointer::Implementation::refuse_foreign(const EpochRecord& record) const {
  std::string why;
  if (record.program != options_.program) {
    why = "it was written by " + named(record.program) + " and this is " + named(options_.program);
  } else if (record.identity != options_.identity) {
    why = "it was written with '" + record.identity + "' and this run has '" + options_.identity +
          "'";
  } else {
    why = mismatch(record, fields_, values_);
  }
  if (why.empty()) return;
  throw_agreed(comm_, Errc::bad_data,
               "epoch " + std::to_string(record.epoch) + " in " + options_.directory.string() +
                   " belongs to another run: " + why +
                   "; choose another checkpoint directory, or the former parameters");
}

/// What tells that the record was tampered with; empty for nothing. The same verdict on every rank,
/// since every rank has the same record and the same key.
std::string Checkpointer::Implementation::unlock_or_refuse(EpochRecord& record,
                                                           std::string_view text) const {
  const auto name = "epoch " + std::to_string(record.epoch) + " in " + options_.directory.string();
  if (key_ && !record.seal) {
    if (options_.plain_epochs == Options::PlainEpochs::accept) return {};
    throw_agreed(comm_, Errc::permission,
                 name +
                     " is not encrypted, and a key was given: anybody could have written it; "
                     "accept plain epochs if it is yours");
  }
  try {
    unlock(record, text, key_ ? &*key_ : nullptr);
  } catch (const Error& error) {
    if (error.code() == Errc::bad_data) return name + ": " + error.what();
    throw_agreed(comm_, error.code(), name + ": " + error.what());
  }
  return {};
}

/// Verifies and reads; throws what this rank alone may see.
void Checkpointer::Implementation::load(const EpochRecord& record) {
  const auto path = options_.directory / record.data_file;
  before_restore_open.check("open " + path.string());
  const auto file = open_data_file(path);
  if (comm_.is_root()) verify_structure(file, record);
  for (std::size_t f = 0; f < fields_.size(); ++f) {
    if (fields_[f].cut)
      fields_[f].cut->before_load(comm_, fields_[f], record.fields[f], record.fields, file);
    const auto target = memory_of(fields_[f]);
    before_restore_read.check("read " + path.string());
    read_block(file, record.fields[f], target);
  }
  for (std::size_t v = 0; v < values_.size(); ++v) {
    std::memcpy(values_[v].data, record.values[v].bytes.data(), record.values[v].bytes.size());
  }
}

/// Those of the shared directory: void ones left out, with a warning; newest first.
std::vector<RestartCandidate> Checkpointer::Implementation::find_shared_candidates() {
  std::vector<RestartCandidate> candidates;
  std::vector<std::array<std::uint64_t, 3>> ids;
  together(comm_, [&] {
    if (!store_) return;
    for (auto& found : store_->find()) {
      if (found.is_void) {
        warn(found.problem);
        continue;
      }
      if (found.problem.empty()) found.problem = store_->data_problem(parse_record(found.text));
      ids.push_back({found.incarnation, found.epoch, short_digest(digest_of(found.text))});
      candidates.push_back({.text = std::move(found.text), .problem = std::move(found.problem)});
    }
  });
  bcast(comm_, into(ids));
  candidates.resize(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i)
    candidates[i].id = {.incarnation = ids[i][0], .epoch = ids[i][1], .digest = ids[i][2]};
  return candidates;
}

/// Those of the nodes, void ones left out; newest first.
std::vector<RestartCandidate> Checkpointer::Implementation::find_local_candidates() {
  std::vector<std::string> damaged;
  const auto found = local_->find(damaged);
  for (const auto& problem : damaged) warn("a local record is not usable: " + problem);
  std::vector<char> is_void;
  for (const auto& each : found) {
    const consensus::LastEpoch id{each.incarnation, each.epoch};
    const bool is_late = store_ && each.incarnation != store_->incarnation() &&
                         std::ranges::find(local_at_claim_, id) == local_at_claim_.end();
    is_void.push_back(store_ && (is_late || store_->is_void(id)) ? 1 : 0);
    if (is_void.back() != 0)
      warn("local epoch " + std::to_string(id.epoch) + " of incarnation " +
           std::to_string(id.incarnation) + " is void: another launch has taken over since");
  }
  bcast(comm_, into(is_void));
  std::vector<RestartCandidate> candidates;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (is_void[i] != 0) continue;
    RestartCandidate candidate{
        .id = {found[i].incarnation, found[i].epoch, short_digest(found[i].digest)},
        .local = found[i]};
    const auto fetch = [&] { candidate.local_record = local_->fetch(found[i]); };
    if (passes(candidate, fetch)) candidate.record = candidate.local_record->epoch;
    candidates.push_back(std::move(candidate));
  }
  together(comm_, [&] {
    for (auto& candidate : candidates) {
      if (!candidate.record) continue;
      candidate.is_own = local_->has_record(*candidate.local);
      candidate.files = local_->look_for(*candidate.local_record);
    }
  });
  return candidates;
}

std::vector<RestartCandidate> Checkpointer::Implementation::find_candidates() {
  together(comm_, [&] { at_restore.check("look for epochs in " + options_.directory.string()); });
  auto candidates = find_shared_candidates();
  if (!local_) return candidates;
  auto local = find_local_candidates();
  const bool is_lost = local.empty() && job_file_ && job_file_->state == JobFile::State::committed;
  if (bcast(comm_, static_cast<int>(is_lost)) != 0) {
    RestartCandidate lost;
    lost.problem = "no host of this job has a record of the local epochs that were saved to " +
                   options_.local.directory.string() + ", or none that counts";
    if (candidates.empty()) {
      candidates.push_back(std::move(lost));
    } else {
      warn(lost.problem);
    }
  }
  candidates.insert(candidates.end(), std::move_iterator(local.begin()),
                    std::move_iterator(local.end()));
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const auto& a, const auto& b) { return a.id.epoch > b.id.epoch; });
  return candidates;
}

/// False, with candidate.problem, when `work` finds its files damaged.
template <typename Work>
bool Checkpointer::Implementation::passes(RestartCandidate& candidate, Work&& work) {
  try {
    std::forward<Work>(work)();
  } catch (const Error& error) {
    // Only what is wrong with the files is a reason to look for older ones.
    const bool is_damage = error.code() == Errc::bad_data || error.code() == Errc::no_input ||
                           error.code() == Errc::input_output;
    if (!error.agreed() || !is_damage) throw;
    candidate.problem = error.what();
  }
  return candidate.problem.empty();
}

/// Gives all ranks the record, and refuses the restart if it is another program's or not for this
/// key; false, with candidate.problem, if it is no good. Collective; does it once.
bool Checkpointer::Implementation::admit(RestartCandidate& candidate) {
  if (candidate.is_admitted) return candidate.problem.empty();
  candidate.is_admitted = true;
  if (!candidate.local) {
    bcast(comm_, into(candidate.problem));
    bcast(comm_, into(candidate.text));
    if (candidate.text.empty()) return false;
    // Verified on one rank, and the same text everywhere.
    candidate.record = parse_record(candidate.text);
    auto forged = unlock_or_refuse(*candidate.record, candidate.text);
    if (!forged.empty()) {
      candidate.problem = std::move(forged);
      return false;
    }
  }
  if (candidate.record) refuse_foreign(*candidate.record);
  return candidate.problem.empty();
}

/// Says why the candidate is not the one. Returns that.
std::string Checkpointer::Implementation::pass_over(RestartCandidate& candidate) {
  candidate.is_passed_over = true;
  if (admit(candidate) && candidate.local) {
    if (!candidate.holdings)
      candidate.holdings = local_->gather_holdings(*candidate.local_record, candidate.files);
    candidate.problem = what_is_missing(*candidate.local_record, *candidate.holdings);
  }
  if (candidate.problem.empty())
    candidate.problem = "epoch " + std::to_string(candidate.id.epoch) +
                        " is not the same one everywhere: hosts have different records of it";
  if (!candidate.local) damaged_.insert(candidate.id.epoch);
  note(consensus::JournalEntry::Kind::fault, candidate.id.epoch,
       "passed over by the restart: " + candidate.problem);
  warn("epoch " + std::to_string(candidate.id.epoch) +
       " is not usable, trying an older one: " + candidate.problem);
  return candidate.problem;
}

/// Reads this rank's files of it, once, and takes those that are damaged out of `places`. Returns
/// whether no rank has found any.
bool Checkpointer::Implementation::verify_local(RestartCandidate& candidate,
                                                std::vector<int>& places) {
  if (candidate.holdings) return true;
  auto& files = candidate.files;
  together(comm_, [&] { local_->verify(*candidate.local_record, files); });
  candidate.holdings = local_->gather_holdings(*candidate.local_record, files);
  const auto before = places.size();
  std::erase_if(places, [&](int place) {
    return std::any_of(files.begin(), files.end(), [&](const OwnFile& file) {
      return file.number == place && file.state != FileState::good;
    });
  });
  return agree(comm_, places.size() == before);
}

/// Reads the epoch that was selected; false when something is damaged, equal on all ranks.
/// @param places  this rank's of a local epoch; those found damaged are taken out
bool Checkpointer::Implementation::restore_from(RestartCandidate& candidate,
                                                std::vector<int>& places) {
  if (!admit(candidate)) return false;
  if (candidate.local && !verify_local(candidate, places)) return false;
  // Places of another record with this number may have stood in for what this one lacks.
  if (candidate.local && !what_is_missing(*candidate.local_record, *candidate.holdings).empty())
    return false;
  auto& record = *candidate.record;
  const auto read = [&] {
    if (candidate.local) record = scavenge(*candidate.local_record, *candidate.holdings);
    together(comm_, [&] { load(record); });
    for (auto& field : fields_)
      if (field.cut) field.cut->after_load(comm_, field);
  };
  if (!passes(candidate, read)) return false;
  job_ = record.job;
  epoch_ = record.epoch;
  saved_step_ = record.step;
  if (comm_.is_root()) trace::instant("epoch.restored", static_cast<std::int64_t>(record.epoch));
  return true;
}

std::optional<std::uint64_t> Checkpointer::Implementation::restore() {
  if (!is_on()) return std::nullopt;
  wait();
  const trace::Span span("ckpt.restore");
  gather_boxes_once();
  auto candidates = find_candidates();
  std::string problems;
  const auto pass_over_before = [&](const RestartCandidate* chosen) {
    for (auto& each : candidates) {
      if (&each == chosen) return;
      if (!each.is_passed_over) problems += (problems.empty() ? "" : "; ") + pass_over(each);
    }
  };
  const auto choice = consensus::restart_from(
      comm_, offers_of(candidates, comm_.is_root()), places_of(candidates),
      [&](std::uint64_t epoch, const std::vector<bool>& filled) {
        return is_whole(candidates, epoch, filled);
      },
      [&](const consensus::ReadableEpoch& chosen, std::vector<int>& places) {
        const auto candidate = std::find_if(candidates.begin(), candidates.end(),
                                            [&](const auto& each) { return each.id == chosen; });
        pass_over_before(&*candidate);
        return restore_from(*candidate, places);
      });
  // A launch that has lost the directory may have seen epochs go while it looked, and would go on
  // from the wrong one, or from none.
  together(comm_, [&] {
    if (store_) store_->check_owner();
  });
  if (choice) return saved_step_;
  if (candidates.empty()) return std::nullopt;
  pass_over_before(nullptr);
  throw_agreed(comm_, Errc::bad_data,
               "no epoch in " + options_.directory.string() + " can be restored: " + problems +
                   "; move the directory away to begin from the start");
}

}  // namespace cairn::ckpt
