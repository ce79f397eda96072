// The Checkpointer's two tiers: saves to the nodes, and how an epoch of the nodes becomes one of
// the shared directory.

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/trace/trace.hpp"
#include "checkpointer_implementation.hpp"
#include "data_file.hpp"

namespace cairn::ckpt {

namespace {

Failpoint before_scavenge{"ckpt.local.scavenge"};

/// Of a rank in the parity of an epoch, when many share a network and a disk.
constexpr double least_bytes_per_second = 10e6;

}  // namespace

bool Checkpointer::Implementation::is_local_step(std::uint64_t step) const {
  const auto is_due = [&](std::uint64_t every) { return every != 0 && step % every == 0; };
  return local_ && is_due(options_.local.every) && !is_due(options_.every) &&
         shared_step_ != step && stop_signal_ == 0;
}

void Checkpointer::Implementation::open_local_tier() {
  if (!is_on() || options_.local.directory.empty()) return;
  together(comm_, [&] {
    if (comm_.is_root()) job_file_ = read_job_file(options_.directory);
  });
  auto job = job_file_ ? job_file_->job : std::string();
  bcast(comm_, into(job));
  local_.emplace(comm_, options_.local, domains_, job);
  // What an older launch still makes of local epochs is not among these, and does not count.
  std::vector<std::string> damaged;  // restore() tells
  for (const auto& each : local_->find(damaged))
    local_at_claim_.push_back({each.incarnation, each.epoch});
  if (const auto shortfall = local_->shortfall(); !shortfall.empty()) warn(shortfall);
}

/// Before the first publication of this launch: which older epochs count, of both tiers.
void Checkpointer::Implementation::confirm_incarnation() {
  if (is_confirmed_) return;
  together(comm_, [&] {
    if (!store_) return;
    if (!store_->follows_in_order()) spare_->remove();  // somebody may still write into it
    store_->confirm(local_at_claim_);
  });
  is_confirmed_ = true;
}

/// A number above that of any file of both tiers. Rank 0.
std::uint64_t Checkpointer::Implementation::next_epoch() const {
  return std::max(store_->next_epoch(), local_ ? local_->newest() + 1 : 0);
}

/// Rank 0 writes that of this launch when it says something else than the newest.
void Checkpointer::Implementation::write_job_file(JobFile::State state) {
  together(comm_, [&] {
    if (!comm_.is_root()) return;
    if (job_file_ && job_file_->job == job_ && job_file_->state == JobFile::State::committed)
      state = JobFile::State::committed;
    const JobFile file{store_->incarnation(), job_, state};
    if (job_file_ == file) return;
    ckpt::write_job_file(options_.directory, file);
    job_file_ = file;
  });
}

void Checkpointer::Implementation::begin_local_job() {
  together(comm_, [&] {
    if (!comm_.is_root()) return;
    store_->check_owner();
    if (!epoch_) refuse_to_bury();
    if (job_.empty()) job_ = random_job_id();
  });
  bcast(comm_, into(job_));
  write_job_file(JobFile::State::begun);
}

void Checkpointer::Implementation::save_local(std::uint64_t step) {
  const trace::Span span("ckpt.local.save", static_cast<std::int64_t>(step));
  cut_fields();
  gather_boxes_once();
  confirm_incarnation();
  begin_local_job();
  auto told = together(comm_, [&] {
    return store_ ? std::array{next_epoch(), store_->incarnation()}
                  : std::array<std::uint64_t, 2>{};
  });
  bcast(comm_, std::span<std::uint64_t>(told));
  const auto number = told[0];
  incarnation_ = told[1];
  note_meeting();
  {
    const Watchdog watchdog = watch("begun", preparing_seconds());
    local_->begin(job_, {.incarnation = incarnation_, .epoch = number});
  }
  const std::vector<Attribute> about{{"cairn_program", options_.program},
                                     {"cairn_epoch", static_cast<std::int64_t>(number)},
                                     {"cairn_step", static_cast<std::int64_t>(step)},
                                     {"cairn_rank", std::int64_t{comm_.rank()}}};
  const auto begin = pacing_clock();
  std::vector<std::uint32_t> crcs;
  const auto problem = detail::error_of([&] { crcs = local_->write_part(fields_, about); });
  if (vote_ && !vote_->all_are_here(ballot_id(number))) {
    if (problem && options_.last_words) options_.last_words(problem->what());  // nobody else does
    local_->discard();
    return give_up_on_silent_ranks(number, step);
  }
  // Parity is read, sent and written, by many ranks of a node at once.
  const auto part_bytes = static_cast<double>(crcs.size() * piece_bytes);
  const Watchdog watchdog =
      watch("committed", 10 * (pacing_clock() - begin) + part_bytes / least_bytes_per_second);
  given_up_in_a_row_ = 0;
  try {
    agree(comm_, problem);
    local_->write_parity();
    auto parts = gather_parts(comm_, fields_, *boxes_, crcs);
    EpochRecord record;
    together(comm_, [&] {
      if (!comm_.is_root()) return;
      store_->check_owner();
      record.job = job_;
      record.epoch = number;
      record.step = step;
      record.values = values_now();
      describe(record, std::move(parts));
    });
    local_->commit(std::move(record));
    write_job_file(JobFile::State::committed);
  } catch (const Error& error) {
    local_->discard();
    blame_successor(error);
    throw;
  }
  epoch_ = number;
  saved_step_ = step;
  note(consensus::JournalEntry::Kind::epoch, number,
       "step " + std::to_string(step) + ", on the nodes");
  // As behind a publication: whoever has taken over may need what is older.
  together(comm_, [&] {
    if (store_) store_->check_owner();
  });
  try {
    together(comm_, [&] { local_->retire(); });
  } catch (const Error& error) {
    if (!error.agreed()) throw;
    warn(std::string("an old local epoch could not be removed: ") + error.what());
  }
}

/// Makes an epoch of the shared directory of what the hosts have of a local one, of which nothing
/// is lost for good. Returns its record on all ranks.
EpochRecord Checkpointer::Implementation::scavenge(const LocalRecord& local, Holdings holdings) {
  const trace::Span span("ckpt.local.scavenge", static_cast<std::int64_t>(local.epoch.epoch));
  const auto lost = std::count_if(holdings.parts.begin(), holdings.parts.end(),
                                  [](const Holding& part) { return part.owner < 0; });
  if (lost > 0) {
    warn("rebuilding " + std::to_string(lost) + " of the " + std::to_string(holdings.parts.size()) +
         " parts of local epoch " + std::to_string(local.epoch.epoch));
  }
  next_ = {};
  try {
    if (lost > 0) local_->rebuild(local, holdings);
    lay_out_scavenged(local);
    copy_parts(local, holdings);
    together(comm_, [&] {
      if (store_) store_->publish(next_);
    });
  } catch (const Error& error) {
    if (store_ && next_.epoch != 0) store_->discard(next_.epoch);
    if (!error.agreed() || error.code() == Errc::bad_data) throw;
    // No reason to take an older epoch: nothing of this one is lost.
    throw_agreed(comm_, Errc::unavailable,
                 "local epoch " + std::to_string(local.epoch.epoch) +
                     " can be had in full, but not now: " + error.what() +
                     "; mend that and start again");
  }
  auto text = together(comm_, [&] { return store_ ? record_text(next_) : std::string(); });
  bcast(comm_, into(text));
  return together(comm_, [&] { return parse_record(text); });
}

void Checkpointer::Implementation::lay_out_scavenged(const LocalRecord& local) {
  confirm_incarnation();
  together(comm_, [&] {
    before_scavenge.check("write to " + options_.directory.string());
    if (!store_) return;
    const auto epoch = store_->reserve(next_epoch());
    next_ = local.epoch;
    next_.epoch = epoch;
    next_.incarnation = store_->incarnation();
    store_->remove_strays(next_.epoch);
    std::vector<DatasetPlan> plans;
    for (std::size_t f = 0; f < fields_.size(); ++f) {
      const auto& saved = local.epoch.fields[f];
      plans.push_back({saved.name, saved.type, saved.global, fields_[f].attributes});
    }
    const std::vector<Attribute> about{{"cairn_program", options_.program},
                                       {"cairn_epoch", static_cast<std::int64_t>(next_.epoch)},
                                       {"cairn_step", static_cast<std::int64_t>(next_.step)}};
    const auto path = store_->temporary_data_path(next_.epoch);
    const auto layout =
        create_data_file(path, plans, about, Blocks::reserved, Readers::owner_of_reserved);
    next_.data_file = store_->data_path(next_.epoch).filename().string();
    next_.data_bytes = layout.size_bytes;
    next_.structure = layout.structure;
    offsets_bytes_ = layout.dataset_offsets_bytes;
    for (std::size_t f = 0; f < fields_.size(); ++f)
      next_.fields[f].offset_bytes = offsets_bytes_[f];
    data_path_ = path.string();
  });
  offsets_bytes_.resize(fields_.size());
  bcast(comm_, std::span<std::uint64_t>(offsets_bytes_));
  bcast(comm_, into(data_path_));
}

/// One rank's part, as its part file has it, to its place in the shared file. Its digests, which
/// were taken in that rank's memory, must come out again.
void Checkpointer::Implementation::copy_part(const LocalRecord& local, std::size_t rank,
                                             File& file) const {
  const auto path = local_->files().part_path(local.id(), static_cast<int>(rank));
  const auto damaged = [&](const std::string& what) {
    return Error(Errc::bad_data, path.string() + ": " + what);
  };
  for (std::size_t f = 0; f < local.epoch.fields.size(); ++f) {
    const auto& field = local.epoch.fields[f];
    const auto& part = field.parts[rank];
    std::vector<std::byte> bytes(volume(part.box.count) * size_of(field.type));
    if (bytes.empty()) continue;
    if (const auto problem = detail::error_of(
            [&] { File(path, O_RDONLY).read_at(bytes, local.parts[rank].offsets_bytes[f]); }))
      throw damaged(problem->what());
    const Block block{field.global, part.box.offset, part.box.count};
    const auto crcs =
        write_block(file, offsets_bytes_[f], {bytes.data(), size_of(field.type), &block}, [] {});
    if (crcs != part.piece_crcs) throw damaged("field '" + field.name + "' is not what was saved");
  }
}

void Checkpointer::Implementation::copy_parts(const LocalRecord& local, const Holdings& holdings) {
  together(comm_, [&] {
    File file(data_path_, O_WRONLY);
    for (std::size_t r = 0; r < holdings.parts.size(); ++r)
      if (holdings.parts[r].owner == comm_.rank()) copy_part(local, r, file);
    file.sync();
    file.close();
  });
}

}  // namespace cairn::ckpt
