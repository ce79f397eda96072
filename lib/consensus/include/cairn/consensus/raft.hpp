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

#include "cairn/consensus/raft_log.hpp"

namespace cairn::consensus {

/// What to change in the algorithm, so that tests can be shown to find it.
enum class RaftMutant : std::uint8_t {
  none,
  vote_before_persist,      ///< a vote is told before it is durable
  append_before_persist,    ///< an append is acknowledged before it is durable
  leader_counts_unwritten,  ///< a leader counts its own entries before they are durable
  term_not_durable,         ///< a restarted node has forgotten its term and vote
  vote_twice,               ///< a second candidate of a term gets a vote too
  vote_without_log_check,   ///< a candidate with an older log gets a vote
  commit_older_terms,       ///< entries of older terms are committed by counting copies
  append_without_check,     ///< entries are taken whatever stands before them
  keep_conflicting,         ///< entries that conflict with the leader's are kept
  quorum_of_one,            ///< one vote elects
  one_majority_when_joint,  ///< a joint configuration asks only the new one
};

struct RaftOptions {
  NodeIndex self = 0;
  NodeSet voters = {};               ///< at the very begin of the log; equal on all nodes
  std::uint16_t election_ticks = 10;  ///< without a leader; up to twice as many, at random
  std::uint16_t heartbeat_ticks = 2;
  std::uint64_t seed = 0;  ///< of those random numbers; another one on each node
  RaftMutant mutant = RaftMutant::none;

  friend bool operator==(const RaftOptions&, const RaftOptions&) = default;
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
  RaftEntry entry = {};

  friend bool operator==(const RaftEvent&, const RaftEvent&) = default;
};

/// What a call of the machine asks for.
struct RaftOutput {
  struct Sent {
    NodeIndex to = 0;
    RaftMessage message = {};
    friend bool operator==(const Sent&, const Sent&) = default;
  };
  static constexpr std::size_t most_messages = 4 * most_nodes;
  static constexpr std::size_t most_events = 16;

  /// To be made durable; later records hold what earlier ones held. Say persisted(token) then.
  std::optional<RaftDurable> persist = {};
  std::uint64_t token = 0;
  Bounded<Sent, most_messages> now = {};
  Bounded<Sent, most_messages> after_persist = {};  ///< not before persisted(token)
  Bounded<RaftEvent, most_events> events = {};

  /// For the next call; touches what is in use alone.
  void clear() noexcept {
    persist.reset();
    token = 0;
    now.clear();
    after_persist.clear();
    events.clear();
  }
};

class Raft {
 public:
  enum class Role : std::uint8_t { follower, pre_candidate, candidate, leader };

  /// @param recovered  what the node wrote last; a default RaftDurable on its very first start
  Raft(const RaftOptions& options, const RaftDurable& recovered) noexcept;

  /// A node whose durable state cannot be read: it never votes, acknowledges or leads again, since
  /// nobody knows what it has promised. Another node must be added in its place.
  [[nodiscard]] static Raft unreadable(const RaftOptions& options) noexcept;

  void tick(RaftOutput& out) noexcept;
  void step(NodeIndex from, const RaftMessage& message, RaftOutput& out) noexcept;
  void persisted(std::uint64_t token, RaftOutput& out) noexcept;

  /// Appends a command; where it will stand if it is committed, or nothing when this node does not
  /// lead, is handing over, or has no room for entries that are not committed.
  std::optional<std::uint64_t> propose(const RaftCommand& command, RaftOutput& out) noexcept;

  /// Begins the change to other voters, by way of both. False when this node does not lead, or a
  /// change is under way.
  bool change(NodeSet voters, RaftOutput& out) noexcept;

  /// Hands the leadership to `to` as soon as that has the whole log. False when this node does not
  /// lead, or `to` is no voter.
  bool transfer(NodeIndex to, RaftOutput& out) noexcept;

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
  [[nodiscard]] std::uint64_t fingerprint() const noexcept;

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
    std::uint64_t token = 0;
    std::uint64_t last = 0;
    friend bool operator==(const Written&, const Written&) = default;
  };

  [[nodiscard]] bool is(RaftMutant mutant) const noexcept { return options_.mutant == mutant; }
  [[nodiscard]] bool is_quorum(NodeSet nodes) const noexcept;
  [[nodiscard]] bool may_campaign() const noexcept;
  [[nodiscard]] std::uint64_t random() noexcept;

  void follow(std::uint64_t term, std::optional<NodeIndex> leader, RaftOutput& out) noexcept;
  void begin_pre_vote(RaftOutput& out) noexcept;
  void campaign(bool forced, RaftOutput& out) noexcept;
  void lead(RaftOutput& out) noexcept;
  void tick_leader(RaftOutput& out) noexcept;

  [[nodiscard]] bool is_of_another_term(NodeIndex from, const RaftMessage& message,
                                        RaftOutput& out) noexcept;
  void on_vote(NodeIndex from, const RaftMessage& message, RaftOutput& out) noexcept;
  void on_vote_reply(NodeIndex from, const RaftMessage& message, RaftOutput& out) noexcept;
  void on_append(NodeIndex from, const RaftMessage& message, RaftOutput& out) noexcept;
  void on_append_reply(NodeIndex from, const RaftMessage& message, RaftOutput& out) noexcept;
  void on_snapshot(NodeIndex from, const RaftMessage& message, RaftOutput& out) noexcept;

  bool append(const RaftEntry& entry) noexcept;
  void truncate_behind(std::uint64_t index) noexcept;
  void send_entries(NodeIndex to, RaftOutput& out) noexcept;
  void send_to_all(RaftOutput& out) noexcept;
  void hand_over(RaftOutput& out) noexcept;
  void advance_commit(RaftOutput& out) noexcept;
  void apply(RaftOutput& out) noexcept;
  void on_membership_committed(const RaftMembership& membership, RaftOutput& out) noexcept;
  void compact() noexcept;
  void leave_joint(RaftOutput& out) noexcept;
  void break_off(RaftOutput& out) noexcept;
  [[nodiscard]] bool is_silent() const noexcept { return is_unreadable_ || is_broken_; }

  void changed() noexcept { has_changed_ = true; }
  void send(NodeIndex to, const RaftMessage& message, RaftOutput& out) const noexcept;
  void reply(NodeIndex to, const RaftMessage& message, bool early, RaftOutput& out) noexcept;
  void finish(RaftOutput& out) noexcept;

  RaftOptions options_;
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

  NodeSet granted_;
  NodeSet refused_;
  NodeSet active_;  // heard of by a leader since its last look
  std::array<Progress, most_nodes> progress_{};
  std::optional<NodeIndex> heir_;

  bool has_changed_ = false;     // durable_, in this call
  std::uint64_t token_ = 0;      // the newest that was given out
  std::uint64_t persisted_ = 0;  // the newest that came back
  std::uint64_t durable_last_ = 0;
  Bounded<Written, 8> writing_;
};

}  // namespace cairn::consensus
