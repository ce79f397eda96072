/// The epochs of the node-local tier, over all ranks: writing, parity, commit; taking stock and
/// rebuilding. What becomes of a rebuilt one is the Checkpointer's business.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cairn/ckpt/local_tier.hpp"
#include "cairn/collectives/communicator.hpp"
#include "erasure.hpp"
#include "failure_domains.hpp"
#include "fields.hpp"
#include "local_files.hpp"
#include "local_record.hpp"

namespace cairn::ckpt {

/// A record that some host has. Equal on all ranks.
struct LocalCandidate {
  std::uint64_t epoch = 0;
  std::uint64_t incarnation = 0;
  int launch = 0;
  std::string digest;
  std::vector<int> ranks;  ///< the first ranks of the hosts that have it
};

/// A file of an epoch that this rank has found, and looks after. Files are numbered: the parts,
/// then the parities set by set.
struct OwnFile {
  int number = 0;
  FileState state = FileState::missing;
};
[[nodiscard]] int file_count(const LocalRecord& record);

/// Who has what of one epoch: for each file its state and the rank that reads it, -1 for none.
/// Equal on all ranks.
struct Holding {
  FileState state = FileState::missing;
  int owner = -1;
};
struct Holdings {
  std::vector<Holding> parts;                  ///< by rank that wrote them
  std::vector<std::vector<Holding>> parities;  ///< by set and member
};

/// Whether nothing is lost for good when these of the epoch's files are there. Local.
[[nodiscard]] bool can_be_rebuilt(const LocalRecord& record, const std::vector<bool>& filled);

/// What is lost for good, for people; empty when everything is there or can be rebuilt. Local.
[[nodiscard]] std::string what_is_missing(const LocalRecord& record, const Holdings& holdings);

/// The functions are collective unless they say otherwise, and their errors agreed.
class LocalEpochs {
 public:
  /// @param job  whose epochs to look for; empty: there are none yet
  LocalEpochs(const Communicator& comm, LocalTier options, FailureDomains domains,
              const std::string& job);

  [[nodiscard]] const FailureDomains& domains() const noexcept { return domains_; }
  /// Less than what the options ask for, since there are too few hosts; empty otherwise. Local.
  [[nodiscard]] std::string shortfall() const;

  /// The largest epoch that a file on some host is named after. Equal on all ranks. Local.
  [[nodiscard]] std::uint64_t newest() const noexcept { return newest_; }

  // In the order of a save.

  /// Makes the job's folder everywhere, and clears it of what a killed launch left half written.
  /// @param epoch  its number, and the incarnation of this launch
  void begin(const std::string& job, const LocalEpochId& epoch);
  /// This rank's part file under its temporary name, durable. Returns the digests of its blocks, as
  /// write_block(). Local.
  std::vector<std::uint32_t> write_part(const std::vector<RegisteredField>& fields,
                                        const std::vector<Attribute>& about);
  /// Parity of all parts, durable.
  void write_parity();
  /// Makes the files an epoch. `epoch` is complete on rank 0.
  void commit(EpochRecord epoch);
  /// Removes local epochs beyond options.keep. Not agreed: what fails here fails on this host.
  void retire();
  /// Forgets what was begun. Local.
  void discard() const noexcept;

  // In the order of a restart.

  /// What the hosts have records of, newest first. `damaged` gets what cannot be used. Equal on all
  /// ranks.
  [[nodiscard]] std::vector<LocalCandidate> find(std::vector<std::string>& damaged);
  [[nodiscard]] LocalRecord fetch(const LocalCandidate& candidate) const;
  /// Whether this rank's host has the record itself. Local.
  [[nodiscard]] bool has_record(const LocalCandidate& candidate) const;
  /// The epoch's files that are on this host, by name and size. The ranks of a host share the work:
  /// each looks after its own files. Local.
  [[nodiscard]] std::vector<OwnFile> look_for(const LocalRecord& record) const;
  /// Reads those that were good, and checks their digests. Local.
  void verify(const LocalRecord& record, std::vector<OwnFile>& mine) const;
  /// Who has what, by what each rank has found.
  [[nodiscard]] Holdings gather_holdings(const LocalRecord& record,
                                         const std::vector<OwnFile>& mine) const;
  /// Rebuilds the lost parts, of which nothing is missing, on hosts of this job.
  void rebuild(const LocalRecord& record, Holdings& holdings) const;

  /// This host's folder of the job. Local.
  [[nodiscard]] const LocalFiles& files() const noexcept { return files_; }

 private:
  /// A set that this rank is a member of.
  struct OwnSet {
    int set;
    int member;
    Communicator comm;
  };
  [[nodiscard]] bool is_leader() const { return domains_.index_on_host[rank()] == 0; }
  [[nodiscard]] std::size_t rank() const { return static_cast<std::size_t>(comm_.rank()); }
  [[nodiscard]] LocalFiles files_of(const std::string& job) const;
  void split_into_sets();
  void write_parity_of(const OwnSet& own);
  [[nodiscard]] std::vector<std::uint64_t> own_digests() const;
  void gather_digests(LocalRecord& record) const;
  void publish(const std::string& text);

  const Communicator& comm_;
  LocalTier options_;
  FailureDomains domains_;
  std::vector<RedundancySet> sets_;
  std::vector<OwnSet> own_sets_;
  LocalFiles files_;
  std::uint64_t newest_ = 0;
  std::set<std::uint64_t> committed_;                         // by this object
  std::map<std::string, std::filesystem::path> own_records_;  // by digest; filled by find()

  // Of the epoch that is being saved.
  LocalEpochId epoch_;
  std::vector<std::uint64_t> offsets_bytes_;
};

}  // namespace cairn::ckpt
