/// The incarnation fence: of all launches of a job at most one owns its lineage (the checkpoint
/// directory), and what an older one still writes does not count.
///
///     auto fence = claim(directory, this_process(), {});   // inc.7 is ours, or Error{unavailable}
///     …
///     fence.confirm(honoured);   // which older epochs count; before the first publication
///     fence.check();             // before each
///
/// One atomic link(2) on a shared file system is a compare-and-swap, so no protocol among ranks is
/// needed:
///
///     inc.6  ──owner dies or hangs──▶  inc.7 linked ──▶ epochs listed ──▶ inc.7 confirmed
///            from here on check() of 6 fails ┘         what 6 published later is void ┘
///
/// All functions are local, for one process of a launch, and throw Error. Source: Gray and
/// Cheriton, "Leases: an efficient fault-tolerant mechanism for distributed file cache
/// consistency", SOSP 1989 (why clocks of two machines are not compared); open(2), section O_EXCL
/// (link and count on NFS).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cairn/consensus/claim.hpp"

namespace cairn::consensus {

/// What a scheduler knows of a job.
enum class JobState : std::uint8_t { gone, there, unknown };

/// Asks Slurm's squeue, with a time limit of some seconds. Local; may start a process.
[[nodiscard]] JobState ask_slurm(const Claimant& owner);

struct FenceOptions {
  /// How long to wait for an owner that shows signs of life. One that shows none is watched until
  /// stale_seconds are over, whatever this says.
  double patience_seconds = 10;
  /// An owner whose heartbeat has not changed while it was watched so long is gone. Longer than a
  /// file system may delay what another machine has written.
  double stale_seconds = 30;
  /// Between two heartbeats of this owner, by a thread; 0: none but the first.
  double heartbeat_seconds = 5;
  /// respect: an owner that may be alive is left alone. by_force: an operator has decided.
  enum class TakeOver : std::uint8_t { respect, by_force } take_over = TakeOver::respect;
  /// A number below which no incarnation is claimed: that of the newest record, in case that claim
  /// files were lost.
  std::uint64_t above = 0;
  /// Whom to ask about the owner's job, if that has one.
  std::function<JobState(const Claimant&)> ask_scheduler = ask_slurm;
};

/// The newest claim of a lineage.
struct Ownership {
  std::uint64_t incarnation = 0;
  std::optional<Claim> claim;  ///< nothing when the file is torn or damaged: the number is taken
  std::string problem;         ///< then: what is wrong
  bool is_released = false;    ///< the owner has ended in order
};

/// Who owns the lineage in `directory`; nothing when nobody ever claimed it. Local.
[[nodiscard]] std::optional<Ownership> owner(const std::filesystem::path& directory);

/// Whether the recorded owner is known to be gone, without waiting: it has released its claim, its
/// process does not exist any more, or its scheduler says so. Local.
[[nodiscard]] bool is_owner_gone(const std::filesystem::path& directory,
                                 const FenceOptions& options = {});

/// Whether the claimant's process exists, and that can be seen from here. Local.
[[nodiscard]] bool is_alive_here(const Claimant& claimant);

/// The newest claim that is confirmed, which says what of older incarnations counts; nothing when
/// there is none. Damaged claims are passed over. Local.
[[nodiscard]] std::optional<Claim> newest_confirmed(const std::filesystem::path& directory);

/// Whether incarnation `incarnation` has lost the lineage: a later one has claimed it, or its own
/// claim is gone. Local; two stat(2), and a look at the directory.
/// @throws Error{Errc::no_input} when the directory does not exist
[[nodiscard]] bool is_fenced(const std::filesystem::path& directory, std::uint64_t incarnation);

/// Whether a name in the directory belongs to the fence: `inc.K` and what goes with it. Local.
[[nodiscard]] bool is_fence_file(const std::filesystem::path& path);

/// A claim that this process holds. Movable; the destructor releases it, so that the next launch
/// need not wait. A process that is killed releases nothing.
class Fence {
 public:
  Fence(Fence&&) noexcept;
  Fence& operator=(Fence&&) = delete;
  Fence(const Fence&) = delete;
  Fence& operator=(const Fence&) = delete;
  ~Fence();

  [[nodiscard]] std::uint64_t incarnation() const noexcept;
  [[nodiscard]] const Claim& claim() const noexcept;

  /// Writes into the claim which older epochs count. Whatever else older incarnations have
  /// published or publish is void from the moment when this returns. Removes claims that are not
  /// needed any more. Before anything is published; not earlier, since an epoch that cannot
  /// be read at the moment would be void for good although nobody has gone another way yet. After
  /// an Error it may be called again. The first claim of a directory is confirmed from the
  /// beginning.
  ///
  /// @param honoured  the newest epoch of each older incarnation, of those that were there when the
  ///                  claim had been made; in ascending order of epochs
  void confirm(std::vector<LastEpoch> honoured);

  /// Throws when another launch has taken over. On NFS it tells the truth right after this process
  /// has made a file in the directory, since that renews what the client knows of it.
  /// @throws Error{Errc::unavailable} that says who has taken over
  void check() const;

 private:
  friend Fence claim(const std::filesystem::path&, Claimant, const FenceOptions&);
  struct Implementation;
  explicit Fence(std::unique_ptr<Implementation> implementation) noexcept;
  std::unique_ptr<Implementation> implementation_;
};

/// Claims the next incarnation of the lineage in `directory`, which exists. Blocks while an owner
/// is watched.
///
/// The former owner is gone, and taken over from, when it has released its claim; when it is a
/// process of this kernel that does not exist any more; when its scheduler, or the `cairn run` that
/// started both, says so; or when its heartbeat has not changed during `options.stale_seconds` of
/// watching.
///
/// @throws Error{Errc::unavailable} when it may still be alive, naming it and how to override
[[nodiscard]] Fence claim(const std::filesystem::path& directory, Claimant claimant,
                          const FenceOptions& options);

}  // namespace cairn::consensus
