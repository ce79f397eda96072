/// Raft: a replicated log, as a pure state machine.
///
///     ticks, messages, proposals ──▶ Raft ──▶ what must be durable, messages, what is committed
///
/// Leader election with pre-vote and check-quorum, replication, compaction with snapshots, joint
/// consensus for changes of membership, transfer of leadership. A regular value: it can be copied,
/// compared and hashed; it has no clock, does no I/O, allocates nothing and throws nothing.
///
/// Sources: Ongaro and Ousterhout, "In search of an understandable consensus algorithm", USENIX ATC
/// 2014; Ongaro, "Consensus: bridging theory and practice", dissertation, Stanford 2014 (pre-vote
/// 9.6, check-quorum 6.2, membership 4.3, transfer 3.10).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "cairn/consensus/machine.hpp"
#include "cairn/consensus/mutation.hpp"
#include "cairn/consensus/output.hpp"
#include "cairn/consensus/quorum.hpp"
#include "cairn/consensus/raft_log.hpp"

namespace cairn::consensus {

/// Equal on all nodes.
struct RaftConfig {
  RaftNodes voters = {};              ///< at the very begin of the log
  std::uint16_t election_ticks = 10;  ///< without a leader; up to twice as many, at random
  std::uint16_t heartbeat_ticks = 2;
  std::uint64_t seed = 0;  ///< of those random numbers
  Mutant mutant = Mutant::none;

  friend bool operator==(const RaftConfig&, const RaftConfig&) = default;
};

/// What a program asks of a leader.
struct RaftRequest {
  enum class Kind : std::uint8_t { command, change, transfer };
  Kind kind = Kind::command;
  RaftCommand command = {};
  RaftNodes voters = {};
  NodeIndex heir = 0;
};

struct RaftMessage {
  enum class Kind : std::uint8_t {
    pre_vote,
    pre_vote_reply,
    vote,
    vote_reply,
    append,  ///< without entries: a heartbeat
    append_reply,
    snapshot,
    timeout_now,  ///< the leader hands over: campaign at once
  };
  Kind kind = Kind::append;
  bool accepted = false;  ///< of replies
  bool forced = false;    ///< of votes: the leader itself has asked for the election
  std::uint64_t term = 0;
  std::uint64_t index = 0;     ///< votes: the last entry; append: the one before; replies: the last
                               ///< that matches, or that may match
  std::uint64_t log_term = 0;  ///< of the entry at `index`
  std::uint64_t commit = 0;
  Bounded<RaftEntry, raft_entries_per_message> entries = {};
  RaftSnapshot snapshot = {};

  friend bool operator==(const RaftMessage&, const RaftMessage&) = default;
};

/// What a node must still know after a crash.
struct RaftDurable {
  std::uint64_t term = 0;
  std::optional<NodeIndex> vote = {};
  RaftLog log = {};

  friend bool operator==(const RaftDurable&, const RaftDurable&) = default;
};

/// What happened, for the program.
struct RaftEvent {
  enum class Kind : std::uint8_t {
    committed,  ///< `entry` at `index` is final
    installed,  ///< what stands up to `index` is final, and came as a snapshot
    leader,     ///< this node leads `term`
    follower,   ///< it does not lead any more
    broken,     ///< what cannot be has been seen: this node stays silent from here on
  };
  Kind kind = Kind::committed;
  std::uint64_t index = 0;
  std::uint64_t term = 0;
  std::uint64_t digest = 0;  ///< of all entries up to there
  RaftEntry entry = {};

  friend bool operator==(const RaftEvent&, const RaftEvent&) = default;
};

class Raft {
 public:
  using Config = RaftConfig;
  using Command = RaftRequest;
  using Message = RaftMessage;
  using Event = RaftEvent;
  using Durable = RaftDurable;
  using Record = RaftDurable;  // small enough to be written as a whole
  using Output = consensus::Output<Record, Message, Event,
                                   std::size_t{4} * static_cast<std::size_t>(raft_nodes_max), 16>;
  enum class Role : std::uint8_t { follower, pre_candidate, candidate, leader };

  /// A node whose disk cannot be read never votes, acknowledges or leads again, since nobody knows
  /// what it has promised. Another node must be added in its place.
  Raft(const Config& config, NodeIndex self, const Recovered<Durable>& recovered) noexcept;

  void propose(const RaftRequest& request, Output& out) noexcept;
  void step(const Envelope<Message>& envelope, Output& out) noexcept;
  void tick(Output& out) noexcept;
  void persisted(PersistToken token, Output& out) noexcept;
  static void apply(Durable& durable, const Record& record) noexcept { durable = record; }
  [[nodiscard]] std::uint64_t hash() const noexcept;

  /// Appends a command; where it will stand if it is committed, or nothing when this node does not
  /// lead, is handing over, or has no room for entries that are not committed.
  std::optional<std::uint64_t> append(const RaftCommand& command, Output& out) noexcept;

  /// Begins the change to other voters, by way of both. False when this node does not lead, or a
  /// change is under way.
  bool change(RaftNodes voters, Output& out) noexcept;

  /// Hands the leadership to `to` as soon as that has the whole log. False when this node does not
  /// lead, or `to` is no voter.
  bool transfer(NodeIndex to, Output& out) noexcept;

  [[nodiscard]] Role role() const noexcept { return role_; }
  [[nodiscard]] std::uint64_t term() const noexcept { return durable_.term; }
  [[nodiscard]] std::optional<NodeIndex> leader() const noexcept { return leader_; }
  [[nodiscard]] std::uint64_t commit() const noexcept { return commit_; }
  [[nodiscard]] std::uint64_t applied() const noexcept { return applied_.index; }
  /// A hash chain over all entries up to applied().
  [[nodiscard]] std::uint64_t digest() const noexcept { return applied_.digest; }
  [[nodiscard]] const RaftLog& log() const noexcept { return durable_.log; }
  [[nodiscard]] const RaftMembership& membership() const noexcept { return membership_; }
  /// A leader has asked to replace what is final, or two lead one term: others do not keep the
  /// rules, or have forgotten what they promised.
  [[nodiscard]] bool is_broken() const noexcept { return is_broken_; }
  /// Its disk could not be read when it started.
  [[nodiscard]] bool is_unreadable() const noexcept { return is_unreadable_; }

  friend bool operator==(const Raft&, const Raft&) = default;

 private:
  /// What a leader knows of another node's log.
  struct Progress {
    std::uint64_t match = 0;  ///< known to be there
    std::uint64_t next = 1;   ///< to be sent
    friend bool operator==(const Progress&, const Progress&) = default;
  };
  /// Entries up to `last` are durable when `token` is.
  struct Written {
    PersistToken token = 0;
    std::uint64_t last = 0;
    friend bool operator==(const Written&, const Written&) = default;
  };

  [[nodiscard]] bool is(Mutant mutant) const noexcept { return config_.mutant == mutant; }
  [[nodiscard]] JointQuorum quorum() const noexcept;
  [[nodiscard]] Verdict verdict() const noexcept;
  [[nodiscard]] bool may_campaign() const noexcept;
  [[nodiscard]] std::uint64_t random() noexcept;
  void draw_timeout() noexcept;

  void follow(std::uint64_t term, std::optional<NodeIndex> leader, Output& out) noexcept;
  void begin_pre_vote(Output& out) noexcept;
  void campaign(bool forced, Output& out) noexcept;
  void lead(Output& out) noexcept;
  void tick_leader(Output& out) noexcept;

  [[nodiscard]] bool is_of_another_term(NodeIndex from, const RaftMessage& message,
                                        Output& out) noexcept;
  void on_vote(NodeIndex from, const RaftMessage& message, Output& out) noexcept;
  void on_vote_reply(NodeIndex from, const RaftMessage& message, Output& out) noexcept;
  void on_append(NodeIndex from, const RaftMessage& message, Output& out) noexcept;
  void on_append_reply(NodeIndex from, const RaftMessage& message, Output& out) noexcept;
  void on_snapshot(NodeIndex from, const RaftMessage& message, Output& out) noexcept;

  bool push(const RaftEntry& entry) noexcept;
  void truncate_behind(std::uint64_t index) noexcept;
  void send_entries(NodeIndex to, Output& out) noexcept;
  void send_to_all(Output& out) noexcept;
  void hand_over(Output& out) noexcept;
  void advance_commit(Output& out) noexcept;
  void tell_committed(Output& out) noexcept;
  void on_membership_committed(const RaftMembership& membership, Output& out) noexcept;
  void compact() noexcept;
  void leave_joint(Output& out) noexcept;
  void break_off(Output& out) noexcept;
  [[nodiscard]] bool is_silent() const noexcept { return is_unreadable_ || is_broken_; }

  void changed() noexcept { has_changed_ = true; }
  void send(NodeIndex to, const RaftMessage& message, Output& out) const noexcept;
  void reply(NodeIndex to, const RaftMessage& message, bool early, Output& out) noexcept;
  void finish(Output& out) noexcept;

  RaftConfig config_;
  NodeIndex self_ = 0;
  RaftDurable durable_;  // as it is in memory: ahead of the disk by what is being written
  bool is_unreadable_ = false;
  bool is_broken_ = false;

  Role role_ = Role::follower;
  std::optional<NodeIndex> leader_;
  RaftMembership membership_;  // the newest in the log, committed or not
  std::uint64_t commit_ = 0;
  RaftSnapshot applied_;

  std::uint16_t election_elapsed_ = 0;
  std::uint16_t heartbeat_elapsed_ = 0;
  std::uint16_t timeout_ = 0;
  std::uint64_t random_ = 0;

  RaftNodes granted_;
  RaftNodes refused_;
  RaftNodes active_;  // heard of by a leader since its last look
  std::array<Progress, raft_nodes_max> progress_{};
  std::optional<NodeIndex> heir_;

  bool has_changed_ = false;    // durable_, in this call
  PersistToken token_ = 0;      // the newest that was given out
  PersistToken persisted_ = 0;  // the newest that came back
  std::uint64_t durable_last_ = 0;
  Bounded<Written, 8> writing_;
};

}  // namespace cairn::consensus
