/// The inside of a Checkpointer: what it knows between calls. restoring.cpp, saving.cpp and
/// committing.cpp do the work.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "background_writer.hpp"
#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/communicator.hpp"
#include "cairn/consensus/epoch_vote.hpp"
#include "compressing.hpp"
#include "direct_writes.hpp"
#include "fields.hpp"
#include "job_file.hpp"
#include "job_journal.hpp"
#include "local_epochs.hpp"
#include "pacing.hpp"
#include "record.hpp"
#include "restart_candidates.hpp"
#include "spare.hpp"
#include "store.hpp"
#include "transfer.hpp"
#include "watchdog.hpp"
#include "written_pieces.hpp"

namespace cairn::ckpt {

class Checkpointer::Implementation {
 public:
  Implementation(MPI_Comm comm, Options options);
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;
  ~Implementation();

  void add(RegisteredField field);
  void add(RegisteredValue value);
  std::optional<std::uint64_t> restore();
  bool due(std::uint64_t step);
  bool is_wanted() noexcept;
  void save(std::uint64_t step);
  void wait();
  void settle();
  void note_restart();
  /// Passes errors on, but for the journal's ear.
  template <typename Work>
  auto noting_errors(Work&& work) {
    left_with_.reset();  // the program has lived with the one before
    try {
      return std::forward<Work>(work)();
    } catch (const Error& error) {
      left_with_ = error;
      throw;
    }
  }

  [[nodiscard]] int stop_signal() const noexcept { return stop_signal_; }
  [[nodiscard]] std::optional<std::uint64_t> epoch() const noexcept { return epoch_; }
  [[nodiscard]] std::optional<std::uint64_t> saved_step() const noexcept { return saved_step_; }

 private:
  [[nodiscard]] bool is_on() const { return !options_.directory.empty(); }

  /// The options that must be equal on all ranks, since every rank decides by its own.
  [[nodiscard]] std::string signature() const {
    return "directory '" + options_.directory.string() + "' every " +
           std::to_string(options_.every) + " keep " + std::to_string(options_.keep) + " local '" +
           options_.local.directory.string() + "' every " + std::to_string(options_.local.every) +
           " keep " + std::to_string(options_.local.keep) + " journal '" +
           options_.journal_directory.string() + "' group " +
           std::to_string(options_.local.redundancy.group) + " losses " +
           std::to_string(options_.local.redundancy.losses) +
           (options_.on_error == Options::OnError::stop ? " stop" : " go on") + " patience " +
           std::to_string(options_.patience_seconds) + " of " +
           std::to_string(options_.most_given_up) + " program '" + options_.program +
           "' identity '" + options_.identity + "' driver " +
           (options_.driver == Options::Driver::mpio ? "mpio" : "posix") + " key " +
           (key_ ? key_->id() : "none") + " compression " +
           std::string(name_of(options_.compression)) +
           (options_.mode == Options::Mode::sync ? " sync" : " async");
  }
  /// Encrypted pieces are never equal.
  [[nodiscard]] bool is_incremental() const {
    return options_.pieces == Options::Pieces::changed && !key_ &&
           options_.driver == Options::Driver::posix;
  }
  void cut_fields();
  void gather_boxes_once();
  void refuse_foreign(const EpochRecord& record) const;
  [[nodiscard]] std::string unlock_or_refuse(EpochRecord& record, std::string_view text) const;
  void seal_next();
  [[nodiscard]] PieceSealer sealer(std::size_t field, const Block& block) const;
  void load(const EpochRecord& record);
  std::vector<RestartCandidate> find_shared_candidates();
  std::vector<RestartCandidate> find_local_candidates();
  std::vector<RestartCandidate> find_candidates();
  template <typename Work>
  bool passes(RestartCandidate& candidate, Work&& work);
  bool admit(RestartCandidate& candidate);
  std::string pass_over(RestartCandidate& candidate);
  bool verify_local(RestartCandidate& candidate, std::vector<int>& places);
  bool restore_from(RestartCandidate& candidate, std::vector<int>& places);

  // The local tier; tiers.cpp.
  [[nodiscard]] bool is_local_step(std::uint64_t step) const;
  void open_local_tier();
  void confirm_incarnation();
  [[nodiscard]] std::uint64_t next_epoch() const;
  void begin_local_job();
  void write_job_file(JobFile::State state);
  void save_local(std::uint64_t step);
  void blame_successor(const Error& error);
  EpochRecord scavenge(const LocalRecord& local, Holdings holdings);
  void lay_out_scavenged(const LocalRecord& local);
  void copy_part(const LocalRecord& local, std::size_t rank, File& file) const;
  void copy_parts(const LocalRecord& local, const Holdings& holdings);

  // The job journal; journaling.cpp.
  void find_former_claim();
  void open_journal();
  void note(consensus::JournalEntry::Kind kind, std::uint64_t epoch, std::string text);
  void tell_trouble_of_journal();
  void end_journal() noexcept;
  [[nodiscard]] Watchdog::Tell last_words();

  void answer_errors(const std::function<void()>& work);
  void begin_save(std::uint64_t step);
  void lay_out();
  [[nodiscard]] WayOfWriting way_of_writing(bool is_recycled, std::uint64_t size_bytes);
  void stage_chunks(std::size_t field);
  void start_packing();
  void pack_now();
  void pack_staged();
  void begin_writing();
  void give_up_writing();
  [[nodiscard]] std::vector<BlockInMemory> staged_blocks();
  [[nodiscard]] std::vector<DatasetPlan> plans(
      const std::vector<Parts<std::uint32_t>>& lengths) const;
  [[nodiscard]] std::vector<Parts<std::uint32_t>> gather_lengths() const;
  void share_chunk_offsets();
  void write_pieces(File& file, std::size_t field, const BlockInMemory& source,
                    DirectWrites* direct, std::vector<std::uint32_t>& crcs);
  void write_chunks(File& file, std::size_t field, std::vector<std::uint32_t>& crcs);
  void seal_piece(std::span<std::byte> bytes, const Place& place,
                  std::vector<std::uint32_t>& crcs) const;
  void describe_chunks(EpochRecord& record, const std::vector<DatasetPlan>& plans) const;
  void refuse_to_bury() const;
  [[nodiscard]] std::vector<BlockInMemory> blocks_in_memory() const;
  void stage();
  [[nodiscard]] std::vector<std::uint32_t> write_parts(const std::vector<BlockInMemory>& blocks);
  [[nodiscard]] std::vector<std::uint32_t> write_parts_with_mpi_io();
  bool complete(const std::function<std::vector<std::uint32_t>()>& write);
  [[nodiscard]] consensus::EpochId ballot_id(std::uint64_t epoch);
  void note_meeting();
  [[nodiscard]] double watch_seconds() const;
  [[nodiscard]] Watchdog watch(const std::string& what, double more_seconds);
  [[nodiscard]] double preparing_seconds() const;
  void give_up_on_silent_ranks(std::uint64_t epoch, std::uint64_t step);
  void commit(std::vector<std::vector<PartRecord>> parts);
  [[nodiscard]] std::vector<ValueRecord> values_now() const;
  void describe(EpochRecord& record, std::vector<std::vector<PartRecord>> parts) const;
  void warn(const std::string& message) const {
    if (comm_.is_root() && options_.warn) options_.warn(message);
  }

  Communicator comm_;
  Options options_;
  std::optional<Key> key_;
  std::optional<EpochStore> store_;           // rank 0
  bool is_confirmed_ = false;                 // the incarnation; equal on all ranks
  FailureDomains domains_;                    // when it is on
  std::optional<consensus::EpochVote> vote_;  // unless there is one rank, or too many
  std::uint64_t votes_ = 0;                   // so far; equal on all ranks
  int given_up_in_a_row_ = 0;                 // epochs, as ranks were silent; equal on all ranks
  double met_at_ = pacing_clock();            // when all ranks were last known to be here
  double longest_apart_ = 0;                  // seconds between two such moments
  FormerClaim former_claim_;                  // rank 0, with a journal
  std::optional<JobJournal> journal_;
  std::optional<Error> left_with_;               // the last error that was thrown to the program
  int exceptions_ = std::uncaught_exceptions();  // that are no reason to end
  std::optional<Watchdog> watchdog_;             // since then, until all are here again
  std::optional<Spare> spare_;                   // rank 0
  std::optional<LocalEpochs> local_;
  std::optional<std::uint64_t> shared_step_;  ///< due() found it time for a shared epoch
  std::optional<JobFile> job_file_;           // rank 0, with a local tier; nothing without a file
  std::vector<consensus::LastEpoch> local_at_claim_;  // whose records were there then
  std::vector<RegisteredField> fields_;
  std::vector<RegisteredValue> values_;
  std::optional<std::vector<std::vector<Box>>> boxes_;  // per field and rank; filled on rank 0

  std::string job_;
  std::optional<std::uint64_t> epoch_;
  std::optional<std::uint64_t> saved_step_;
  std::set<std::uint64_t> damaged_;  ///< epochs that restore() passed over
  int stop_signal_ = 0;
  Pacing pacing_;           // rank 0's decides
  double epoch_begin_ = 0;  // on the clock of pacing_

  // Of the epoch that is being saved.
  EpochRecord next_;                           // its number on all ranks, the rest on rank 0
  std::shared_ptr<const EpochCipher> cipher_;  // all ranks; none for a plain epoch
  std::string data_path_;                      // all ranks
  std::vector<std::uint64_t> offsets_bytes_;   // all ranks: each field's dataset in the file
  std::vector<PackedChunks> packed_;           // per field: of a compressed one this rank's chunks
  std::vector<std::vector<std::uint64_t>> chunk_offsets_bytes_;  // per field: of all its chunks
  std::vector<DatasetPlan> plans_;                               // rank 0

  std::uint64_t incarnation_ = 0;   // all ranks
  std::uint64_t written_over_ = 0;  // all ranks: the epoch that the file held; 0: none
  std::vector<WrittenPieces::Entry> pieces_now_;  // per field
  std::uint64_t unchanged_bytes_ = 0;
  WayOfWriting way_ = WayOfWriting::cached;  // all ranks
  bool is_on_trial_ = false;                 // rank 0: whether its time counts
  DirectTrial direct_trial_;                 // rank 0's decides
  WrittenPieces written_;

  // Of the epoch that is on its way, in mode async.
  bool in_flight_ = false;            // equal on all ranks
  bool is_packing_ = false;           // the same: not laid out yet, since chunks are compressed
  std::vector<Block> staged_blocks_;  // per field: this rank's, without ghosts
  std::vector<std::vector<std::byte>> staged_;
  BackgroundWriter writer_;  // goes first
};

}  // namespace cairn::ckpt
