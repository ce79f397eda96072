/// The application of a simulated Raft cluster, and its judge.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cairn/consensus/raft.hpp"
#include "cairn/transport/draws.hpp"
#include "cairn/transport/faults.hpp"

namespace cairn::consensus {

/// Asks leaders for commands, changes of voters and hand-overs, and looks whether
///
///  * a term has one leader (election safety);
///  * all nodes apply the same entries (state machine safety);
///  * a leader has every entry that was applied under older terms (leader completeness);
///  * two logs on disks with an entry of one term at one index are alike up to it (log matching);
///  * a node votes once in a term, and comes back with the terms that it has promised in;
///  * what is applied stands on the disks of a quorum;
///  * no node sees what cannot be;
///  * once all is healed a new command is applied by all voters (liveness).
class RaftJudge {
 public:
  /// @param voters  at the begin, 1 to 7; in some schedules two nodes more may become voters
  explicit RaftJudge(int voters, Mutant mutant = Mutant::none);

  [[nodiscard]] int nodes() const noexcept { return voters_ + spares; }
  [[nodiscard]] const RaftConfig& config() const noexcept { return config_; }

  /// Weather in which elections are possible, and happen often.
  [[nodiscard]] static transport::Faults weather(std::uint64_t seed) noexcept;

  void begin(std::uint64_t seed);
  [[nodiscard]] std::optional<RaftRequest> command(NodeIndex node, const Raft& machine,
                                                   bool is_healed);
  void sent(const Envelope<RaftMessage>& envelope);
  void landed(NodeIndex node, const RaftDurable& durable);
  void happened(NodeIndex node, const RaftEvent& event);
  void recovered(NodeIndex node, const Raft& machine);
  [[nodiscard]] bool finished(NodeIndex node, const Raft& machine) const;
  [[nodiscard]] bool may_tear(NodeIndex node);
  [[nodiscard]] const std::string& violation() const noexcept { return violation_; }

  /// Whether this schedule applied anything.
  [[nodiscard]] bool has_decided() const noexcept { return applied_.size() > 1; }
  [[nodiscard]] std::uint64_t leaders() const noexcept { return leaders_seen_; }
  [[nodiscard]] std::uint64_t entries() const noexcept { return entries_seen_; }
  [[nodiscard]] std::uint64_t changes() const noexcept { return changes_seen_; }

 private:
  static constexpr int spares = 2;

  struct Applied {
    std::uint64_t digest = 0;
    std::uint64_t term = 0;
    std::uint64_t newest_term = 0;  // that had a leader when it was applied first
  };
  struct Election {
    NodeIndex leader = 0;
    std::uint64_t applied = 0;  // what leaders of older terms have applied by then
    bool is_checked = false;
  };

  /// What a node has told others.
  struct Told {
    std::uint64_t term = 0;
    std::uint64_t vote_term = 0;  // of its newest vote
    NodeIndex vote = 0;
  };

  void fail(std::string what);
  void judge_vote(NodeIndex node, std::uint64_t term, NodeIndex candidate);
  void judge_matching(NodeIndex node);
  void judge_leader(NodeIndex node, std::uint64_t term);
  void judge_completeness(NodeIndex node, const Raft& machine);
  void judge_applied(NodeIndex node, const RaftEvent& event);
  void judge_durability(std::uint64_t index, std::uint64_t term);
  [[nodiscard]] RaftRequest request(const Raft& machine);

  int voters_;
  RaftConfig config_;
  transport::Draws luck_;

  // Of this schedule.
  unsigned command_percent_ = 0;
  unsigned change_percent_ = 0;
  unsigned transfer_percent_ = 0;
  bool has_changed_voters_ = false;
  std::uint64_t next_command_ = 1;
  std::uint64_t last_marker_ = 0;                // of the command that all must apply in the end
  std::uint64_t wanted_ = 0;                     // where it stands
  RaftMembership membership_;                    // committed
  std::vector<Applied> applied_;                 // shape [entries + 1], from 1
  std::map<std::uint64_t, Election> elections_;  // by term
  std::vector<RaftLog> disks_;                   // shape [nodes]
  std::vector<Told> told_;                       // shape [nodes]
  RaftNodes torn_;
  std::string violation_;

  // Of all.
  std::uint64_t leaders_seen_ = 0;
  std::uint64_t entries_seen_ = 0;
  std::uint64_t changes_seen_ = 0;
};

}  // namespace cairn::consensus
