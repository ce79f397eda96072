/// Paxos Commit: do all nodes have their part of an epoch? One answer, that f of 2f+1 acceptors and
/// any number of participants may crash or hang without blocking or changing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "cairn/consensus/machine.hpp"
#include "cairn/consensus/mutation.hpp"
#include "cairn/consensus/node_set.hpp"

namespace cairn::consensus {

using Ballot = std::uint32_t;

/// Which epoch of which launch: a bare number would confuse two launches.
struct EpochId {
  std::uint64_t incarnation = 0;
  std::uint64_t epoch = 0;
  std::uint64_t layout =
      0;  ///< what else tells attempts apart: a digest of who holds what, a count
  friend bool operator==(const EpochId&, const EpochId&) = default;
};

enum class Vote : std::uint8_t { none, prepared, aborted };
enum class Decision : std::uint8_t { none, committed, aborted };

inline constexpr int acceptors_max = 9;

enum class CommitKind : std::uint8_t {
  vote,      ///< participant → acceptors: 2a of its own instance at ballot 0
  prepare,   ///< leader → acceptors: 1a, all instances
  promise,   ///< acceptor → leader: 1b, all instances
  accept,    ///< leader → acceptors: 2a, all instances
  accepted,  ///< acceptor → leader: 2b, all instances
  refuse,    ///< acceptor → leader: `ballot` is what I have promised
  decide,    ///< to whom it may concern
  ask,       ///< node → acceptors: is there a decision?
};

template <int capacity>
struct CommitMessage {
  CommitKind kind = CommitKind::ask;
  Decision decision = Decision::none;
  Ballot ballot = 0;
  Ballot accepted_ballot = 0;  ///< of `voted`, in a promise
  NodeSet<capacity> voted{};   ///< instances with an accepted value
  NodeSet<capacity> prepared{};
  EpochId id{};
  friend bool operator==(const CommitMessage&, const CommitMessage&) = default;
};

/// What a node keeps on its disk: as participant, as acceptor, and the decision.
template <int capacity>
struct CommitRecord {
  Vote vote = Vote::none;
  Decision decision = Decision::none;
  bool abstains = false;  ///< an earlier record was unreadable: this acceptor must not act again
  Ballot promised = 0;
  Ballot accepted_ballot = 0;      ///< of all instances if > 0, else of those in `voted`
  NodeSet<capacity> voted{};       ///< as acceptor: instances with an accepted value
  NodeSet<capacity> prepared{};    ///< those of them whose value is prepared
  NodeSet<capacity> committing{};  ///< with a decision: the participants that were prepared
  friend bool operator==(const CommitRecord&, const CommitRecord&) = default;
};

struct CommitCommand {
  Vote vote = Vote::none;
};

template <int capacity>
struct CommitEvent {
  enum class Kind : std::uint8_t {
    committed,  ///< and durable here: older epochs may go
    aborted,
    fenced  ///< a younger incarnation exists: this launch has no say any more
  };
  Kind kind = Kind::committed;
  std::uint64_t incarnation = 0;
  NodeSet<capacity> culprits{};  ///< aborted: who was not prepared, as far as known
};

template <typename Mutation>
struct BasicCommitConfig {
  EpochId id{};
  int participants = 0;                           ///< nodes 0 … participants-1
  Bounded<NodeIndex, acceptors_max> acceptors{};  ///< 2f+1 nodes, in different failure domains
  std::uint32_t retry_ticks = 4;      ///< a vote is repeated, an answer asked for, after so many
  std::uint32_t takeover_ticks = 10;  ///< acceptor k opens a ballot after k+1 times so many
  Ballot ballot_max = 0xffffff00;     ///< explorers stop earlier
  [[no_unique_address]] Mutation mutation{};
  friend bool operator==(const BasicCommitConfig&, const BasicCommitConfig&) = default;
};

/// One node's part in the commit of one epoch: participant, acceptor, or both.
///
/// Every participant has an instance of Paxos for its vote. Ballot 0 of it belongs to the
/// participant, so its vote is accepted without a first phase. An acceptor answers once for all
/// instances, to the first acceptor, which decides: committed if all instances chose prepared.
///
///     participant   ──vote──▶  acceptors 0…f  ──accepted──▶  acceptor 0  ──decide──▶  participants
///        N·(f+1)                                 f+1                       N        messages
///
/// An acceptor that has waited too long opens a ballot ≥ 1 for all instances together and proposes
/// what it finds accepted, and aborted for the silent. f = 0 is two-phase commit, and blocks when
/// its one acceptor is away.
///
/// A node votes prepared when its part is durable. A decision is told (`events`) when it is durable
/// at this node. One machine is one epoch; the driver makes a new one for the next.
///
/// Source: Gray, Lamport, "Consensus on transaction commit", ACM TODS 31 (2006),
/// doi:10.1145/1132863.1132867, with the messages of all instances bundled.
template <int capacity, typename Mutation>
class BasicCommitMachine {
 public:
  using Config = BasicCommitConfig<Mutation>;
  using Message = CommitMessage<capacity>;
  using Command = CommitCommand;
  using Event = CommitEvent<capacity>;
  using Record = CommitRecord<capacity>;
  using Durable = Record;
  using Output = consensus::Output<Record, Message, Event, capacity + 2 * acceptors_max>;

  /// Preconditions: check(config) passed.
  BasicCommitMachine(const Config& config, NodeIndex self, const Recovered<Durable>& recovered);

  void propose(const Command& command, Output& out) noexcept;
  void step(const Envelope<Message>& envelope, Output& out) noexcept;
  void tick(Output& out) noexcept;
  void persisted(PersistToken token, Output& out) noexcept;
  static void apply(Durable& durable, const Record& record) { durable = record; }

  [[nodiscard]] Vote vote() const noexcept { return state_.vote; }
  /// What is known here; it counts for the application once it is durable.
  [[nodiscard]] Decision decision() const noexcept { return state_.decision; }
  [[nodiscard]] bool is_decision_durable() const noexcept {
    return state_.decision != Decision::none && decision_token_ <= durable_token_;
  }
  [[nodiscard]] const Record& state() const noexcept { return state_; }
  [[nodiscard]] std::uint64_t hash() const noexcept;
  friend bool operator==(const BasicCommitMachine&, const BasicCommitMachine&) = default;

 private:
  enum class Phase : std::uint8_t { votes, promises, accepts, idle };
  struct Report {
    Ballot ballot = 0;
    NodeSet<capacity> voted{};
    NodeSet<capacity> prepared{};
    friend bool operator==(const Report&, const Report&) = default;
  };

  void receive_vote(NodeIndex from, const Message& message, Output& out) noexcept;
  void receive_prepare(NodeIndex from, const Message& message, Output& out) noexcept;
  void receive_promise(int acceptor, const Message& message, Output& out) noexcept;
  void receive_accept(NodeIndex from, const Message& message, Output& out) noexcept;
  void receive_accepted(int acceptor, const Message& message, Output& out) noexcept;
  void receive_refusal(const Message& message) noexcept;

  void repeat(Output& out) noexcept;
  void take_over(Output& out) noexcept;
  void count_votes(Output& out) noexcept;
  void choose_from_promises() noexcept;
  [[nodiscard]] bool is_ready_to_accept() const noexcept;
  void decide(Decision decision, Output& out) noexcept;
  void learn(Decision decision, const NodeSet<capacity>& prepared, Output& out) noexcept;
  void fence(std::uint64_t incarnation, Output& out) noexcept;

  void persist(Output& out) noexcept;
  void send_vote(int acceptors, Output& out) noexcept;
  void send_now(NodeIndex to, const Message& message, Output& out) const noexcept;
  void send_durable(NodeIndex to, const Message& message, Mutant hasty, Output& out) const noexcept;
  [[nodiscard]] Message message(CommitKind kind, Ballot ballot) const noexcept;
  [[nodiscard]] int acceptor_number(NodeIndex node) const noexcept;
  [[nodiscard]] int acceptors() const noexcept {
    return static_cast<int>(config_.acceptors.size());
  }
  [[nodiscard]] int quorum() const noexcept;
  [[nodiscard]] bool is_participant() const noexcept { return self_ < config_.participants; }

  Config config_;
  NodeIndex self_;
  int acceptor_;  // position among the acceptors, -1 if none
  Record state_;
  PersistToken token_ = 0;
  PersistToken durable_token_ = 0;
  PersistToken decision_token_ = 0;
  bool fenced_ = false;

  // As leader of `ballot_`; acceptor 0 leads ballot 0.
  Phase phase_ = Phase::idle;
  Ballot ballot_ = 0;
  Ballot seen_ = 0;  // the highest that others were seen to use
  std::uint32_t heard_ = 0;
  std::array<Report, acceptors_max> reports_{};
  NodeSet<capacity> proposal_{};  // the prepared ones

  std::uint32_t attempts_ = 0;
  std::uint32_t retry_in_;
  std::uint32_t takeover_in_;
  std::uint32_t patience_;  // of the mutant that aborts alone
};

/// For up to 64 nodes, which is one aggregator for each.
using CommitMachine = BasicCommitMachine<64, Faithful>;
using CommitConfig = CommitMachine::Config;
/// For up to 1024.
using WideCommitMachine = BasicCommitMachine<1024, Faithful>;
using MutatedCommitMachine = BasicCommitMachine<64, Mutated>;

extern template class BasicCommitMachine<64, Faithful>;
extern template class BasicCommitMachine<64, Mutated>;
extern template class BasicCommitMachine<1024, Faithful>;

/// Acceptors 0 … count-1.
[[nodiscard]] Bounded<NodeIndex, acceptors_max> first_acceptors(int count);

/// Nodes that fail alone as far as there are such: node 0 first, then as few as can be of one
/// failure domain, the lowest first.
/// @param domains  of each node; equal: they fail together
[[nodiscard]] Bounded<NodeIndex, acceptors_max> spread_acceptors(std::span<const int> domains,
                                                                 int count);

/// @throws Error{Errc::usage} if there is no participant or acceptor, more than there is room for,
/// or one acceptor twice
void check(const CommitConfig& config, int capacity = 64);

[[nodiscard]] std::string describe(const CommitMessage<64>& message);
[[nodiscard]] std::string describe(const CommitRecord<64>& record);
[[nodiscard]] std::string describe(const CommitEvent<64>& event);
[[nodiscard]] std::string describe(const CommitCommand& command);

}  // namespace cairn::consensus
