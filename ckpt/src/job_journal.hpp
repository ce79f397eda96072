/// The job journal that a Checkpointer keeps: made by all ranks together, kept by a thread of one
/// rank on each node (cairn/consensus/journal.hpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "cairn/consensus/journal_entry.hpp"
#include "failure_domains.hpp"
#include "job_story.hpp"
#include "journal_keeper.hpp"
#include "journal_plan.hpp"

namespace cairn::ckpt {

/// Whose journal it is, and where.
struct JobJournalOptions {
  std::filesystem::path directory = {};             ///< of each host; `%h` is its name
  std::filesystem::path checkpoint_directory = {};  ///< where the file lies that names the journal
  LaunchName launch = {};                           ///< this one; rank 0 knows it
  FormerClaim former = {};                          ///< rank 0 knows it
};

/// Collective in its construction; then nothing here communicates over MPI, and nothing fails: what
/// goes wrong is a warning. The entries are said by one rank, the lowest that keeps a node, and may
/// be told to all.
class JobJournal {
 public:
  /// @throws Error{Errc::usage}, agreed, for directories of another job, and for one that is not
  /// local
  JobJournal(const Communicator& comm, FailureDomains domains, JobJournalOptions options);
  JobJournal(const JobJournal&) = delete;
  JobJournal& operator=(const JobJournal&) = delete;
  ~JobJournal() = default;

  /// What a user should know of the beginning. Equal on all ranks.
  [[nodiscard]] const std::vector<std::string>& warnings() const noexcept { return warnings_; }
  /// What has gone wrong since, once; or nothing. Local.
  [[nodiscard]] std::string take_trouble();

  void append(consensus::JournalEntry::Kind kind, std::uint64_t epoch, std::string text);
  /// Waits, not for long, until what was said is final.
  void end(std::string reason, JournalKeeper::Patience patience);
  /// The same by any rank before it ends the process, when others hang. One that keeps no node
  /// waits as long as those that do may need, since the launcher ends them with it. From any
  /// thread.
  void end_for_all(std::string reason, JournalKeeper::Patience patience);

 private:
  void exchange_former(JobJournalOptions& options);
  void plan(const JobJournalOptions& options);
  [[nodiscard]] bool name_journal(const JobJournalOptions& options, JournalFile::State state);
  [[nodiscard]] bool try_at_root(const std::function<void()>& work);
  void make_directory();
  void refuse_shared_directory() const;
  void open();
  void meet(transport::TcpMesh& mesh, const std::vector<transport::TcpEndpoint>& endpoints);
  void start(const FormerClaim& former);
  [[nodiscard]] bool keeps() const noexcept { return node_ >= 0 && failure_.empty(); }
  [[nodiscard]] consensus::JournalOptions node_options() const;
  [[nodiscard]] consensus::JournalEntry entry(consensus::JournalEntry::Kind kind,
                                              std::uint64_t epoch, std::string text) const;
  void gather_failures();

  const Communicator& comm_;
  FailureDomains domains_;
  std::filesystem::path directory_;  // this host's
  JournalPlan plan_;                 // equal on all ranks
  std::optional<JournalFile> file_;  // equal on all ranks
  int node_ = -1;                    // that this rank keeps
  LaunchName launch_;
  std::string failure_;      // why this rank does not keep it after all
  std::string unreachable_;  // nodes whose hosts have no address here
  std::vector<std::string> warnings_;
  std::unique_ptr<JournalKeeper> keeper_;
  bool is_writer_ = false;
  bool has_keepers_ = false;  // equal on all ranks
};

}  // namespace cairn::ckpt
