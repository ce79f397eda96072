// The save of a Checkpointer, at once and in the background.

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/failpoint.hpp"
#include "cairn/trace/trace.hpp"
#include "checkpointer_implementation.hpp"
#include "data_file.hpp"
#include "mpi_io.hpp"

namespace cairn::ckpt {

namespace {

// In the order in which a save passes them; those of the commit stand in committing.cpp and
// store.cpp, those of a recycled file in spare.cpp.
Failpoint at_save{"ckpt.save.begin"};
Failpoint after_layout{"ckpt.layout"};
Failpoint before_copy{"ckpt.copy"};
Failpoint before_data_open{"ckpt.data.open"};
Failpoint before_data_write{"ckpt.data.write"};
Failpoint before_data_sync{"ckpt.data.sync"};
Failpoint after_data_sync{"ckpt.data.synced"};

}  // namespace

/// One number says it all: twice the stop signal, and one for an epoch that is due.
bool Checkpointer::Implementation::due(std::uint64_t step) {
  int request = 2 * pending_stop_signal();
  if (comm_.is_root()) {
    const auto advice = pacing_.after_step(step, pacing_clock());
    if (advice == Pacing::Advice::save) request += 1;
    if (advice == Pacing::Advice::save_and_stop) request = std::max(request, 2 * SIGXCPU);
  }
  request = all_reduce(comm_, request, Maximum{});
  note_meeting();
  tell_trouble_of_journal();
  stop_signal_ = request / 2;
  if (in_flight_ && (stop_signal_ != 0 ||
                     all_reduce(comm_, static_cast<int>(writer_.is_done()), Minimum{}) != 0)) {
    if (is_packing_ && stop_signal_ == 0) {
      answer_errors([this] { begin_writing(); });
    } else {
      wait();
    }
  }
  if (request % 2 != 0) shared_step_ = step;
  return is_on() && saved_step_ != step && (request != 0 || is_local_step(step));
}

bool Checkpointer::Implementation::is_wanted() noexcept {
  if (pending_stop_signal() != 0) return true;
  if (!comm_.is_root()) return false;
  const auto now = pacing_clock();
  if (pacing_.is_time(now)) return true;
  // What has been written is committed in due(). Not where each step is saved, and not again at
  // once where others have not written theirs.
  return in_flight_ && writer_.is_done() && options_.every == 0 && options_.local.every == 0 &&
         now - met_at_ >= 0.1;
}

/// Rank 0 makes the file; every rank learns its name, the epoch's number and the datasets' offsets.
void Checkpointer::Implementation::lay_out() {
  const auto lengths = gather_lengths();
  together(comm_, [&] {
    at_save.check("save an epoch");
    if (!store_) return;
    if (!epoch_) refuse_to_bury();
    // The number first: a straggler of a killed launch must not find a file of the name that it was
    // told.
    const auto epoch = store_->reserve(next_epoch());
    next_.epoch = epoch;
    store_->remove_strays(epoch);
    plans_ = plans(lengths);
    const std::vector<Attribute> about{{"cairn_program", options_.program},
                                       {"cairn_epoch", static_cast<std::int64_t>(epoch)},
                                       {"cairn_step", static_cast<std::int64_t>(next_.step)}};
    const auto path = store_->temporary_data_path(epoch);
    const auto layout =
        create_data_file(path, plans_, about, Blocks::sparse, Readers::owner_of_reserved);
    next_.data_bytes = layout.size_bytes;
    next_.structure = layout.structure;
    offsets_bytes_ = layout.dataset_offsets_bytes;
    chunk_offsets_bytes_ = layout.chunk_offsets_bytes;
    const bool is_recycled = spare_->take_place_of(path, layout);
    if (!is_recycled) File(path, O_WRONLY | O_NOFOLLOW).reserve(layout.size_bytes);
    written_over_ = is_recycled ? spare_->epoch() : 0;
    way_ = way_of_writing(is_recycled, layout.size_bytes);
    after_layout.check("lay out " + path.string());
    data_path_ = path.string();
    next_.data_file = store_->data_path(epoch).filename().string();
  });
  offsets_bytes_.resize(fields_.size());
  bcast(comm_, std::span<std::uint64_t>(offsets_bytes_));
  share_chunk_offsets();
  bcast(comm_, into(data_path_));
  std::array<std::uint64_t, 4> told{next_.epoch, store_ ? store_->incarnation() : 0, written_over_,
                                    static_cast<std::uint64_t>(way_)};
  bcast(comm_, std::span<std::uint64_t>(told));
  next_.epoch = told[0];
  incarnation_ = told[1];
  written_over_ = told[2];
  way_ = static_cast<WayOfWriting>(told[3]);
  seal_next();
}

/// Epochs that are written over one of their size are compared by the time of the whole; in a new
/// file each rank goes by its own writes. Rank 0.
WayOfWriting Checkpointer::Implementation::way_of_writing(bool is_recycled,
                                                          std::uint64_t size_bytes) {
  is_on_trial_ = false;
  if (options_.direct == Options::Direct::on) return WayOfWriting::direct;
  if (options_.direct == Options::Direct::off || is_incremental()) return WayOfWriting::cached;
  const auto bytes_a_rank = size_bytes / static_cast<std::uint64_t>(comm_.size());
  if (!is_recycled) {
    return bytes_a_rank < NewFileTrial::smallest_bytes ? WayOfWriting::cached
                                                       : WayOfWriting::faster;
  }
  is_on_trial_ = bytes_a_rank >= DirectTrial::smallest_bytes;
  return is_on_trial_ && direct_trial_.next() ? WayOfWriting::direct : WayOfWriting::cached;
}

/// With a key: every rank learns the epoch's salt and nonce, and the job, which the data are bound
/// to.
void Checkpointer::Implementation::seal_next() {
  cipher_.reset();
  if (!key_) return;
  auto seal = new_seal(*key_);
  bcast(comm_, std::span<unsigned char>(seal.salt));
  bcast(comm_, std::span<unsigned char>(seal.nonce));
  next_.job = job_.empty() ? random_job_id() : job_;
  bcast(comm_, into(next_.job));
  next_.seal = seal;
  cipher_ = std::make_shared<EpochCipher>(*key_, seal, next_.job, next_.epoch);
}

/// What encrypts this rank's pieces of a field; nothing for a plain epoch.
PieceSealer Checkpointer::Implementation::sealer(std::size_t field, const Block& block) const {
  if (!cipher_) return {};
  return [this, field, box = Box{block.offset, block.count}](
             std::uint64_t piece, std::uint64_t offset_bytes, std::span<std::byte> bytes) {
    return cipher_->seal(bytes, {.name = fields_[field].name,
                                 .type = fields_[field].type,
                                 .box = &box,
                                 .piece = piece,
                                 .offset_bytes = offset_bytes});
  };
}

std::vector<BlockInMemory> Checkpointer::Implementation::blocks_in_memory() const {
  std::vector<BlockInMemory> blocks;
  for (const auto& field : fields_) blocks.push_back(memory_of(field));
  return blocks;
}

/// Copies the fields. The memory is kept for the next time. Collective.
void Checkpointer::Implementation::stage() {
  const trace::Span span("ckpt.copy");
  together(comm_, [&] {
    before_copy.check("copy the fields");
    staged_.resize(fields_.size());
    staged_blocks_.clear();
    for (std::size_t f = 0; f < fields_.size(); ++f) {
      const auto source = memory_of(fields_[f]);
      staged_blocks_.push_back(*source.block);
      staged_blocks_.back().ghosts = 0;
      if (is_compressed(fields_[f])) continue;
      staged_[f].resize(volume(source.block->count) * source.element_bytes);
      pack_block(source, staged_[f].data());
    }
  });
  for (std::size_t f = 0; f < fields_.size(); ++f)
    if (is_compressed(fields_[f])) stage_chunks(f);
}

/// What was staged; of compressed fields the bytes are this rank's chunks and not the block.
std::vector<BlockInMemory> Checkpointer::Implementation::staged_blocks() {
  std::vector<BlockInMemory> blocks;
  for (std::size_t f = 0; f < fields_.size(); ++f)
    blocks.push_back({staged_[f].data(), size_of(fields_[f].type), &staged_blocks_[f]});
  return blocks;
}

/// Writes this rank's block of a field; its digests go behind `crcs`.
void Checkpointer::Implementation::write_pieces(File& file, std::size_t field,
                                                const BlockInMemory& source, DirectWrites* direct,
                                                std::vector<std::uint32_t>& crcs) {
  const auto& block = *source.block;
  const auto offset = offsets_bytes_[field];
  BlockPieces pieces{.before = written_.find(written_over_, field, offset, block)};
  const auto written = write_block(
      file, offset, source, [&] { before_data_write.check("write " + data_path_); },
      sealer(field, block), is_incremental() ? &pieces : nullptr, direct);
  crcs.insert(crcs.end(), written.begin(), written.end());
  pieces_now_.push_back({offset, block.global, block.offset, block.count, std::move(pieces.now)});
  unchanged_bytes_ += pieces.unchanged_bytes;
}

/// Every rank writes its blocks and makes them durable. Returns this rank's digests. May run in a
/// thread of its own.
std::vector<std::uint32_t> Checkpointer::Implementation::write_parts(
    const std::vector<BlockInMemory>& blocks) {
  const auto begin = pacing_clock();
  before_data_open.check("open " + data_path_);
  File file(data_path_, O_WRONLY | O_NOFOLLOW);
  std::optional<DirectWrites> direct;
  if (way_ == WayOfWriting::direct) direct.emplace(data_path_);
  if (way_ == WayOfWriting::faster) direct.emplace(data_path_, NewFileTrial());
  std::vector<std::uint32_t> crcs;
  pieces_now_.clear();
  unchanged_bytes_ = 0;
  {
    const trace::Span span("ckpt.write");
    for (std::size_t f = 0; f < blocks.size(); ++f) {
      if (is_compressed(fields_[f])) {
        write_chunks(file, f, crcs);
        pieces_now_.emplace_back();
      } else {
        write_pieces(file, f, blocks[f], direct ? &*direct : nullptr, crcs);
      }
    }
  }
  const trace::Span span("ckpt.sync");
  before_data_sync.check("fdatasync " + data_path_);
  if (direct) direct->close();
  file.sync();
  file.close();
  after_data_sync.check("fdatasync " + data_path_);
  if (is_on_trial_) direct_trial_.took(way_ == WayOfWriting::direct, pacing_clock() - begin);
  return crcs;
}

/// The same by MPI-IO. Collective, its errors not agreed.
std::vector<std::uint32_t> Checkpointer::Implementation::write_parts_with_mpi_io() {
  const trace::Span span("ckpt.write");
  std::vector<BlockInMemory> blocks;
  std::vector<PieceSealer> sealers;
  together(comm_, [&] {
    before_data_open.check("open " + data_path_);
    blocks = blocks_in_memory();
    for (std::size_t f = 0; f < blocks.size(); ++f) sealers.push_back(sealer(f, *blocks[f].block));
  });
  pieces_now_.clear();
  auto crcs = write_with_mpi_io(comm_, data_path_, blocks, offsets_bytes_, sealers,
                                [&] { before_data_write.check("write " + data_path_); });
  before_data_sync.check("fdatasync " + data_path_);
  File(data_path_, O_WRONLY | O_NOFOLLOW).sync();  // whatever MPI_File_sync is worth
  after_data_sync.check("fdatasync " + data_path_);
  return crcs;
}

/// Runs `work`, whose errors are agreed, and does with them what the options say.
void Checkpointer::Implementation::answer_errors(const std::function<void()>& work) {
  const auto begin = pacing_clock();
  try {
    work();
  } catch (const Error& error) {
    const bool is_of_files = error.code() == Errc::input_output ||
                             error.code() == Errc::permission || error.code() == Errc::no_input;
    note(consensus::JournalEntry::Kind::fault, 0,
         "a checkpoint could not be written: " + std::string(error.what()));
    if (options_.on_error == Options::OnError::stop || !error.agreed() || !is_of_files) throw;
    pacing_.waited(pacing_clock() - begin);
    pacing_.failed(epoch_begin_);
    warn(std::string("a checkpoint could not be written, and the run goes on without it: ") +
         error.what());
  }
}

void Checkpointer::Implementation::save(std::uint64_t step) {
  if (!is_on()) return;
  wait();
  answer_errors([&] { is_local_step(step) ? save_local(step) : begin_save(step); });
}

/// The whole save in mode sync; in mode async all that is left to the caller's thread.
void Checkpointer::Implementation::begin_save(std::uint64_t step) {
  const trace::Span span("ckpt.save", static_cast<std::int64_t>(step));
  epoch_begin_ = pacing_clock();
  trace::flush();
  cut_fields();
  gather_boxes_once();
  next_ = {};
  confirm_incarnation();
  next_.step = step;
  together(comm_, [&] {
    if (store_) next_.values = values_now();
  });
  note_meeting();
  const bool in_background = options_.mode == Options::Mode::async && stop_signal_ == 0;
  is_packing_ = in_background && std::any_of(fields_.begin(), fields_.end(), [](const auto& field) {
                  return is_compressed(field);
                });
  try {
    const Watchdog watchdog = watch("begun", preparing_seconds());
    if (!in_background) pack_now();
    if (!is_packing_) lay_out();
    if (in_background) {
      stage();
      together(comm_, [&] {
        writer_.start([this, blocks = staged_blocks(), is_packing = is_packing_] {
          if (!is_packing) return write_parts(blocks);
          pack_staged();
          return std::vector<std::uint32_t>();
        });
      });
    }
  } catch (const Error& error) {
    give_up_writing();
    blame_successor(error);
    throw;
  }
  saved_step_ = step;
  in_flight_ = in_background;
  if (in_background) pacing_.begun(epoch_begin_);
  const bool is_saved = !in_background && complete([this] {
    return options_.driver == Options::Driver::mpio ? write_parts_with_mpi_io()
                                                    : write_parts(blocks_in_memory());
  });
  pacing_.waited(pacing_clock() - epoch_begin_);
  if (is_saved) pacing_.saved(epoch_begin_, pacing_clock());
}

/// In the background: the chunks are compressed, and now there can be a file for them.
void Checkpointer::Implementation::begin_writing() {
  const auto begin = pacing_clock();
  try {
    together(comm_, [&] { (void)writer_.take(); });
    is_packing_ = false;
    const Watchdog watchdog = watch("begun", preparing_seconds());
    lay_out();
    together(comm_, [&] {
      writer_.start([this, blocks = staged_blocks()] { return write_parts(blocks); });
    });
  } catch (const Error& error) {
    saved_step_.reset();
    give_up_writing();
    blame_successor(error);
    throw;
  }
  pacing_.waited(pacing_clock() - begin);
}

/// Of an epoch that has come to nothing before it was written.
void Checkpointer::Implementation::give_up_writing() {
  if (options_.mode == Options::Mode::async) (void)detail::error_of([&] { (void)writer_.take(); });
  if (store_ && next_.epoch != 0) store_->discard(next_.epoch);
  in_flight_ = false;
  is_packing_ = false;
}

void Checkpointer::Implementation::wait() {
  if (!in_flight_) return;
  in_flight_ = false;
  const trace::Span span("ckpt.wait");
  answer_errors([&] {
    if (is_packing_) begin_writing();
    const auto begin = pacing_clock();
    const bool is_saved = complete([this] { return writer_.take(); });
    pacing_.waited(pacing_clock() - begin);
    if (is_saved) pacing_.saved(epoch_begin_, pacing_clock());
  });
}

}  // namespace cairn::ckpt
