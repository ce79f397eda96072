#include "cairn/ckpt/checkpointer.hpp"

#include <fcntl.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <set>
#include <utility>

#include "background_writer.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/trace/trace.hpp"
#include "data_file.hpp"
#include "fields.hpp"
#include "record.hpp"
#include "spare.hpp"
#include "store.hpp"
#include "transfer.hpp"
#include "utf8.hpp"

namespace cairn::ckpt {

namespace {

// In the order in which a save and a restore pass them; those of the commit stand in store.cpp.
Failpoint at_save{"ckpt.save.begin"};
Failpoint after_layout{"ckpt.layout"};
Failpoint before_copy{"ckpt.copy"};
Failpoint before_data_open{"ckpt.data.open"};
Failpoint before_data_write{"ckpt.data.write"};
Failpoint before_data_sync{"ckpt.data.sync"};
Failpoint after_data_sync{"ckpt.data.synced"};
Failpoint after_commit{"ckpt.committed"};
Failpoint before_restore_open{"ckpt.restore.open"};
Failpoint before_restore_read{"ckpt.restore.read"};

std::string random_job_id() {
  std::random_device device;
  char hex[33];
  std::snprintf(hex, sizeof hex, "%08x%08x%08x%08x", device(), device(), device(), device());
  return hex;
}

/// The record is JSON. These texts may hold what a user typed, so it is not called a bug.
void expect_utf8(const std::string& option, const std::string& text) {
  if (is_utf8(text)) return;
  throw Error(Errc::usage,
              "checkpoints need the " + option + " in UTF-8, and this is not: " + escaped(text));
}

}  // namespace

class Checkpointer::Implementation {
 public:
  Implementation(MPI_Comm comm, Options options)
      : comm_(comm, "cairn.ckpt"), options_(std::move(options)) {
    if (options_.signals == Options::Signals::catch_stop) catch_stop_signals();
    const auto mine = signature();
    auto roots = mine;
    bcast(comm_, into(roots));
    together(comm_, [&] {
      expects(mine == roots,
              "the same checkpoint options on every rank; here: " + mine + " on rank 0: " + roots);
      expects(options_.keep >= 1, "at least one epoch to keep");
      expect_utf8("program", options_.program);
      expect_utf8("identity", options_.identity);
      if (!is_on() || !comm_.is_root()) return;
      store_.emplace(options_.directory, options_.lock_patience_seconds);
      spare_.emplace(options_.directory);
    });
  }

  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;
  ~Implementation() {
    if (in_flight_) {
      (void)detail::error_of([&] { (void)writer_.take(); });
      if (store_) store_->discard(next_.epoch);
      warn("an epoch was still being written and is given up; wait() makes it whole");
    }
    if (spare_ && epoch_) spare_->remove();  // one that was refused leaves all as it is
  }

  void add(RegisteredField field) {
    expects(!in_flight_, "fields before the first save");
    check_field(field);
    fields_.push_back(std::move(field));
    boxes_.reset();
  }

  void add(RegisteredValue value) {
    expects(!in_flight_, "values before the first save");
    expects(is_utf8(value.name), "a name in UTF-8 of value '" + escaped(value.name) + "'");
    values_.push_back(std::move(value));
    boxes_.reset();
  }

  std::optional<std::uint64_t> restore();
  bool due(std::uint64_t step);
  void save(std::uint64_t step);
  void wait();

  [[nodiscard]] int stop_signal() const noexcept { return stop_signal_; }
  [[nodiscard]] std::optional<std::uint64_t> epoch() const noexcept { return epoch_; }

 private:
  [[nodiscard]] bool is_on() const { return !options_.directory.empty(); }

  /// The options that must be equal on all ranks, since every rank decides by its own.
  [[nodiscard]] std::string signature() const {
    return "directory '" + options_.directory.string() + "' every " +
           std::to_string(options_.every) + " keep " + std::to_string(options_.keep) +
           " program '" + options_.program + "' identity '" + options_.identity + "'";
  }
  void gather_boxes_once();
  void refuse_foreign(const EpochRecord& record) const;
  void load(const EpochRecord& record);

  void lay_out(std::uint64_t step);
  void refuse_to_bury() const;
  [[nodiscard]] std::vector<BlockInMemory> blocks_in_memory() const;
  void stage();
  [[nodiscard]] std::vector<std::uint32_t> write_parts(const std::vector<BlockInMemory>& blocks);
  void complete(const std::function<std::vector<std::uint32_t>()>& write);
  void commit(std::vector<std::vector<PartRecord>> parts);
  void warn(const std::string& message) const {
    if (comm_.is_root() && options_.warn) options_.warn(message);
  }

  Communicator comm_;
  Options options_;
  std::optional<EpochStore> store_;  // rank 0
  std::optional<Spare> spare_;       // rank 0
  std::vector<RegisteredField> fields_;
  std::vector<RegisteredValue> values_;
  std::optional<std::vector<std::vector<Box>>> boxes_;  // per field and rank; filled on rank 0

  std::string job_;
  std::optional<std::uint64_t> epoch_;
  std::optional<std::uint64_t> saved_step_;
  std::set<std::uint64_t> damaged_;  ///< epochs that restore() passed over
  int stop_signal_ = 0;

  // Of the epoch that is being saved.
  EpochRecord next_;                          // its number on all ranks, the rest on rank 0
  std::string data_path_;                     // all ranks
  std::vector<std::uint64_t> offsets_bytes_;  // all ranks: each field's dataset in the file

  // Of the epoch that is on its way, in mode async.
  bool in_flight_ = false;            // equal on all ranks
  std::vector<Block> staged_blocks_;  // per field: this rank's, without ghosts
  std::vector<std::vector<std::byte>> staged_;
  BackgroundWriter writer_;  // goes first
};

void Checkpointer::Implementation::gather_boxes_once() {
  if (!boxes_) boxes_ = gather_boxes(comm_, fields_, values_);
}

// --- restore ---------------------------------------------------------------------------------

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

/// Verifies and reads; throws what this rank alone may see.
void Checkpointer::Implementation::load(const EpochRecord& record) {
  const auto path = options_.directory / record.data_file;
  before_restore_open.check("open " + path.string());
  const File file(path, O_RDONLY);
  if (comm_.is_root()) verify_structure(file, record);
  for (std::size_t f = 0; f < fields_.size(); ++f) {
    const auto target = memory_of(fields_[f]);
    before_restore_read.check("read " + path.string());
    for (const auto& part : record.fields[f].parts)
      read_overlap(file, record.fields[f], part, target);
  }
  for (std::size_t v = 0; v < values_.size(); ++v) {
    std::memcpy(values_[v].data, record.values[v].bytes.data(), record.values[v].bytes.size());
  }
}

std::optional<std::uint64_t> Checkpointer::Implementation::restore() {
  if (!is_on()) return std::nullopt;
  wait();
  const trace::Span span("ckpt.restore");
  gather_boxes_once();
  auto candidates =
      together(comm_, [&] { return store_ ? store_->find() : std::vector<FoundEpoch>{}; });
  const auto found = bcast(comm_, candidates.size());
  candidates.resize(found);
  std::string problems;
  for (auto& candidate : candidates) {
    bcast(comm_, into(candidate.text));
    bcast(comm_, into(candidate.problem));
    if (candidate.problem.empty()) {
      const auto record =
          parse_record(candidate.text);  // verified on rank 0, and the same text everywhere
      refuse_foreign(record);
      try {
        together(comm_, [&] { load(record); });
        job_ = record.job;
        epoch_ = record.epoch;
        saved_step_ = record.step;
        if (comm_.is_root())
          trace::instant("epoch.restored", static_cast<std::int64_t>(record.epoch));
        return record.step;
      } catch (const Error& error) {
        // Only what is wrong with the files is a reason to look for older ones.
        const bool is_damage = error.code() == Errc::bad_data || error.code() == Errc::no_input ||
                               error.code() == Errc::input_output;
        if (!error.agreed() || !is_damage) throw;
        candidate.problem = error.what();
      }
    }
    damaged_.insert(candidate.epoch);
    warn("epoch " + std::to_string(candidate.epoch) +
         " is not usable, trying an older one: " + candidate.problem);
    problems += (problems.empty() ? "" : "; ") + candidate.problem;
  }
  if (candidates.empty()) return std::nullopt;
  throw_agreed(comm_, Errc::bad_data,
               "no epoch in " + options_.directory.string() + " can be restored: " + problems +
                   "; move the directory away to begin from the start");
}

// --- save ------------------------------------------------------------------------------------

bool Checkpointer::Implementation::due(std::uint64_t step) {
  stop_signal_ = agreed_stop_signal(comm_);
  if (in_flight_ &&
      (stop_signal_ != 0 || all_reduce(comm_, static_cast<int>(writer_.is_done()), Minimum{}) != 0))
    wait();
  if (!is_on() || saved_step_ == step) return false;
  return stop_signal_ != 0 || (options_.every != 0 && step % options_.every == 0);
}

/// Rank 0 makes the file; every rank learns its name, the epoch's number and the datasets' offsets.
void Checkpointer::Implementation::lay_out(std::uint64_t step) {
  together(comm_, [&] {
    at_save.check("save an epoch");
    if (!store_) return;
    if (!epoch_) refuse_to_bury();
    // The number first: a straggler of a killed launch must not find a file of the name that it was
    // told.
    const auto epoch = store_->next_epoch();
    store_->remove_strays();
    std::vector<DatasetPlan> plans;
    for (const auto& field : fields_) {
      plans.push_back({field.name, field.type, field.block.global, field.attributes});
    }
    const std::vector<Attribute> about{{"cairn_program", options_.program},
                                       {"cairn_epoch", static_cast<std::int64_t>(epoch)},
                                       {"cairn_step", static_cast<std::int64_t>(step)}};
    const auto path = store_->temporary_data_path(epoch);
    next_.epoch = epoch;
    const auto layout = create_data_file(path, plans, about, Blocks::sparse);
    next_.data_bytes = layout.size_bytes;
    next_.structure = layout.structure;
    offsets_bytes_ = layout.dataset_offsets_bytes;
    if (!spare_->take_place_of(path, layout)) File(path, O_WRONLY).reserve(layout.size_bytes);
    after_layout.check("lay out " + path.string());
    data_path_ = path.string();
    next_.step = step;
    next_.data_file = store_->data_path(epoch).filename().string();
    for (const auto& value : values_) {
      next_.values.push_back(
          {value.name, value.type,
           std::vector<std::byte>(value.data, value.data + size_of(value.type))});
    }
  });
  offsets_bytes_.resize(fields_.size());
  bcast(comm_, std::span<std::uint64_t>(offsets_bytes_));
  bcast(comm_, into(data_path_));
  next_.epoch = bcast(comm_, next_.epoch);
}

std::vector<BlockInMemory> Checkpointer::Implementation::blocks_in_memory() const {
  std::vector<BlockInMemory> blocks;
  for (const auto& field : fields_) blocks.push_back(memory_of(field));
  return blocks;
}

/// Copies the fields. The memory is kept for the next time.
void Checkpointer::Implementation::stage() {
  const trace::Span span("ckpt.copy");
  before_copy.check("copy the fields");
  staged_.resize(fields_.size());
  staged_blocks_.clear();
  for (std::size_t f = 0; f < fields_.size(); ++f) {
    const auto source = memory_of(fields_[f]);
    staged_blocks_.push_back(*source.block);
    staged_blocks_.back().ghosts = 0;
    staged_[f].resize(volume(source.block->count) * source.element_bytes);
    pack_block(source, staged_[f].data());
  }
}

/// Every rank writes its blocks and makes them durable. Returns this rank's digests. May run in a
/// thread of its own.
std::vector<std::uint32_t> Checkpointer::Implementation::write_parts(
    const std::vector<BlockInMemory>& blocks) {
  before_data_open.check("open " + data_path_);
  File file(data_path_, O_WRONLY);
  std::vector<std::uint32_t> crcs;
  {
    const trace::Span span("ckpt.write");
    for (std::size_t f = 0; f < blocks.size(); ++f) {
      const auto written = write_block(file, offsets_bytes_[f], blocks[f],
                                       [&] { before_data_write.check("write " + data_path_); });
      crcs.insert(crcs.end(), written.begin(), written.end());
    }
  }
  const trace::Span span("ckpt.sync");
  before_data_sync.check("fdatasync " + data_path_);
  file.sync();
  file.close();
  after_data_sync.check("fdatasync " + data_path_);
  return crcs;
}

/// Rank 0 completes the record, publishes it, and only then retires older epochs.
void Checkpointer::Implementation::commit(std::vector<std::vector<PartRecord>> parts) {
  const trace::Span span("ckpt.commit");
  next_.job = job_.empty() ? random_job_id() : job_;
  next_.program = options_.program;
  next_.identity = options_.identity;
  next_.launch = launch_number();
  next_.ranks = comm_.size();
  next_.parent = epoch_;
  for (std::size_t f = 0; f < fields_.size(); ++f) {
    const auto& field = fields_[f];
    next_.fields.push_back(
        {field.name, field.type, field.block.global, offsets_bytes_[f], std::move(parts[f])});
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
    if (record.program == options_.program && record.identity == options_.identity) return;
    throw Error(Errc::bad_data, options_.directory.string() +
                                    " holds epochs of another run (program '" + record.program +
                                    "', '" + record.identity +
                                    "'); choose another checkpoint directory");
  }
}

void Checkpointer::Implementation::save(std::uint64_t step) {
  if (!is_on()) return;
  wait();
  const trace::Span span("ckpt.save", static_cast<std::int64_t>(step));
  trace::flush();
  gather_boxes_once();
  next_ = {};
  const bool in_background = options_.mode == Options::Mode::async && stop_signal_ == 0;
  try {
    lay_out(step);
    if (in_background) {
      together(comm_, [&] {
        stage();
        std::vector<BlockInMemory> blocks;
        for (std::size_t f = 0; f < fields_.size(); ++f)
          blocks.push_back({staged_[f].data(), size_of(fields_[f].type), &staged_blocks_[f]});
        writer_.start([this, blocks = std::move(blocks)] { return write_parts(blocks); });
      });
    }
  } catch (const Error&) {
    if (in_background) (void)detail::error_of([&] { (void)writer_.take(); });
    if (store_ && next_.epoch != 0) store_->discard(next_.epoch);
    throw;
  }
  next_.step = step;
  saved_step_ = step;
  in_flight_ = in_background;
  if (!in_background) complete([this] { return write_parts(blocks_in_memory()); });
}

void Checkpointer::Implementation::wait() {
  if (!in_flight_) return;
  in_flight_ = false;
  const trace::Span span("ckpt.wait");
  complete([this] { return writer_.take(); });
}

/// Makes an epoch of what `write` has written on every rank.
void Checkpointer::Implementation::complete(
    const std::function<std::vector<std::uint32_t>()>& write) {
  try {
    const auto crcs = together(comm_, write);
    auto parts = gather_parts(comm_, fields_, *boxes_, crcs);
    together(comm_, [&] {
      if (store_) commit(std::move(parts));
    });
  } catch (const Error&) {
    saved_step_.reset();
    if (store_) store_->discard(next_.epoch);
    throw;
  }
  epoch_ = next_.epoch;
  together(comm_, [&] { after_commit.check("end the save of an epoch"); });
  if (!store_) return;
  if (const auto problem =
          detail::error_of([&] { store_->retire(options_.keep, damaged_, &*spare_); })) {
    warn(std::string("an old epoch could not be removed: ") + problem->what());
  }
}

// --- the interface ---------------------------------------------------------------------------

Options::Mode mode_of(std::string_view word) {
  if (word == "sync") return Options::Mode::sync;
  if (word == "async") return Options::Mode::async;
  Error error(Errc::usage, "'" + std::string(word) + "' is no mode of checkpoints; sync or async");
  error.mark_agreed();
  throw error;
}

Checkpointer::Checkpointer(MPI_Comm comm, Options options)
    : implementation_(std::make_unique<Implementation>(comm, std::move(options))) {}
Checkpointer::Checkpointer(const Communicator& comm, Options options)
    : Checkpointer(comm.native(), std::move(options)) {}
Checkpointer::Checkpointer(Checkpointer&&) noexcept = default;
Checkpointer::~Checkpointer() = default;

void Checkpointer::add_field(std::string name, ScalarType type, std::function<Bytes()> storage,
                             Block block, std::vector<Attribute> attributes) {
  implementation_->add(RegisteredField{std::move(name), type, std::move(block),
                                       std::move(attributes), [storage = std::move(storage)] {
                                         const auto bytes = storage();
                                         return std::span(bytes.data, bytes.size);
                                       }});
}

void Checkpointer::add_value(std::string name, ScalarType type, std::byte* data) {
  implementation_->add(RegisteredValue{std::move(name), type, data});
}

std::optional<std::uint64_t> Checkpointer::restore() {
  const auto step = implementation_->restore();
  trace::flush();  // a report is most wanted of runs that die
  return step;
}

bool Checkpointer::due(std::uint64_t step) { return implementation_->due(step); }

void Checkpointer::save(std::uint64_t step) {
  implementation_->save(step);
  trace::flush();
}

void Checkpointer::wait() {
  implementation_->wait();
  trace::flush();
}

int Checkpointer::stop_signal() const noexcept { return implementation_->stop_signal(); }
std::optional<std::uint64_t> Checkpointer::epoch() const noexcept {
  return implementation_->epoch();
}

}  // namespace cairn::ckpt
