// The restore of a Checkpointer.

#include <algorithm>
#include <cstring>
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

Failpoint before_restore_open{"ckpt.restore.open"};
Failpoint before_restore_read{"ckpt.restore.read"};

}  // namespace

/// The same verdict on every rank, since every rank has the same record and the same registrations.
void Checkpointer::Implementation::refuse_foreign(const EpochRecord& record) const {
  std::string why;
  if (record.program != options_.program) {
    why =
        "it was written by program '" + record.program + "' and this is '" + options_.program + "'";
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
  if (key_ && !record.seal && options_.plain_epochs == Options::PlainEpochs::refuse) {
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

/// An epoch that a restart may take: of the shared directory, or one that the hosts have.
struct Checkpointer::Implementation::Candidate {
  std::uint64_t epoch = 0;
  std::string text;     ///< the record; of the shared directory, rank 0
  std::string problem;  ///< why it is no good; empty while it is
  std::optional<LocalCandidate> local;
};

/// Newest first. Equal on all ranks but for the texts, which rank 0 has.
std::vector<Checkpointer::Implementation::Candidate>
Checkpointer::Implementation::find_candidates() {
  std::vector<Candidate> candidates;
  const auto shared = together(comm_, [&] {
    auto all = store_ ? store_->find() : std::vector<FoundEpoch>{};
    for (const auto& each : all)
      if (each.is_void) warn(each.problem);
    std::erase_if(all, [](const FoundEpoch& each) { return each.is_void; });
    return all;
  });
  const auto found = bcast(comm_, shared.size());
  for (std::size_t i = 0; i < found; ++i) {
    Candidate candidate;
    if (comm_.is_root()) candidate = {shared[i].epoch, shared[i].text, shared[i].problem, {}};
    candidate.epoch = bcast(comm_, candidate.epoch);
    candidates.push_back(std::move(candidate));
  }
  if (!local_) return candidates;
  std::vector<std::string> damaged;
  const auto local = local_->find(damaged);
  for (const auto& problem : damaged) warn("a local record is not usable: " + problem);
  for (const auto& each : local) {
    const bool is_void = store_ && store_->is_void({each.incarnation, each.epoch});
    if (bcast(comm_, static_cast<int>(is_void)) == 0)
      candidates.push_back({each.epoch, {}, {}, each});
  }
  const bool is_lost = local.empty() && job_file_ && job_file_->state == JobFile::State::committed;
  if (bcast(comm_, static_cast<int>(is_lost)) != 0) {
    Candidate lost;
    lost.problem = "no host of this job has a record of the local epochs that were saved to " +
                   options_.local.directory.string();
    if (candidates.empty()) {
      candidates.push_back(std::move(lost));
    } else {
      warn(lost.problem);
    }
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const auto& a, const auto& b) { return a.epoch > b.epoch; });
  return candidates;
}

/// False, with candidate.problem, when `work` finds its files damaged.
template <typename Work>
bool Checkpointer::Implementation::passes(Candidate& candidate, Work&& work) {
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

bool Checkpointer::Implementation::restore_from(Candidate& candidate) {
  std::optional<LocalRecord> local;
  if (candidate.local) {
    if (!passes(candidate, [&] { local = local_->fetch(*candidate.local); })) return false;
  } else {
    bcast(comm_, into(candidate.text));
    bcast(comm_, into(candidate.problem));
    if (!candidate.problem.empty()) return false;
  }
  // Verified on one rank, and the same text everywhere.
  auto record = local ? local->epoch : parse_record(candidate.text);
  if (!local) candidate.problem = unlock_or_refuse(record, candidate.text);
  if (!candidate.problem.empty()) return false;
  refuse_foreign(record);
  const auto read = [&] {
    if (local) record = scavenge(*local);
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
  for (auto& candidate : candidates) {
    if (restore_from(candidate)) return saved_step_;
    if (!candidate.local) damaged_.insert(candidate.epoch);
    warn("epoch " + std::to_string(candidate.epoch) +
         " is not usable, trying an older one: " + candidate.problem);
    problems += (problems.empty() ? "" : "; ") + candidate.problem;
  }
  if (candidates.empty()) return std::nullopt;
  throw_agreed(comm_, Errc::bad_data,
               "no epoch in " + options_.directory.string() + " can be restored: " + problems +
                   "; move the directory away to begin from the start");
}

}  // namespace cairn::ckpt
