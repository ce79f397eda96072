/// Single-decree Paxos: some nodes propose, one value is chosen, all learn it.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "cairn/consensus/commit.hpp"
#include "cairn/consensus/machine.hpp"
#include "cairn/consensus/mutation.hpp"
#include "cairn/consensus/quorum.hpp"

namespace cairn::consensus {

/// A value; 0 means none.
using Value = std::uint64_t;

enum class PaxosKind : std::uint8_t {
  prepare,   ///< 1a, proposer → acceptors
  promise,   ///< 1b, acceptor → proposer
  accept,    ///< 2a, proposer → acceptors
  accepted,  ///< 2b, acceptor → proposer; with the value to a learner that asked
  refuse,    ///< acceptor → proposer: `ballot` is what I have promised
  learn,     ///< whoever knows → learners: `value` is chosen
  ask,       ///< learner → acceptors: what has been accepted, or is chosen?
};

struct PaxosMessage {
  PaxosKind kind = PaxosKind::ask;
  Ballot ballot = 0;
  Ballot accepted_ballot = 0;
  Value value = 0;
  friend bool operator==(const PaxosMessage&, const PaxosMessage&) = default;
};

/// What a node keeps on its disk.
struct PaxosRecord {
  Ballot promised = 0;         ///< as acceptor
  Ballot accepted_ballot = 0;  ///< as acceptor; 0: nothing accepted
  Value accepted = 0;
  Ballot opened = 0;  ///< as proposer: the highest ballot it has used
  Value chosen = 0;   ///< as learner
  bool abstains = false;
  friend bool operator==(const PaxosRecord&, const PaxosRecord&) = default;
};

struct PaxosCommand {
  Value value = 0;
};

struct PaxosEvent {
  Value chosen = 0;
};

template <typename Mutation>
struct BasicPaxosConfig {
  int nodes = 0;                                  ///< all may propose, all learn
  Bounded<NodeIndex, acceptors_max> acceptors{};  ///< 2f+1 of them bear f crashes
  int phase1 = 0;                                 ///< promises needed; see FlexibleQuorum
  int phase2 = 0;                                 ///< acceptances needed
  std::uint32_t retry_ticks = 4;                  ///< an answer is asked for after so many
  std::uint32_t ballot_ticks = 8;  ///< node k gives a ballot (k+1) times so many, then more
  Ballot ballot_max = 0xffffff00;  ///< explorers stop earlier
  [[no_unique_address]] Mutation mutation{};
  friend bool operator==(const BasicPaxosConfig&, const BasicPaxosConfig&) = default;
};

/// One node's part in one decision: proposer, learner, and acceptor if it is one.
///
///     proposer ──prepare b──▶ acceptors ──promise──▶ proposer      phase 1: what may be chosen?
///     proposer ──accept b v─▶ acceptors ──accepted─▶ proposer      phase 2: v is chosen
///     proposer ──learn v────▶ all
///
///     learner ───ask────────▶ acceptors ──accepted b v──▶ learner   if the proposer is gone
///
/// A node that is no acceptor is a learner that needs no proposer: it asks the acceptors, and when
/// a quorum of them has accepted one ballot it knows what is chosen. Such a node may propose too.
///
/// The ballots of node k are k+1, k+1+n, k+1+2n, …; none is used twice, also through a restart. The
/// value is told (`events`) when it is durable at this node.
///
/// Source: Lamport, "The part-time parliament", ACM TOCS 16 (1998), doi:10.1145/279227.279229;
/// quorums as in Howard, Malkhi, Spiegelman, OPODIS 2016.
template <typename Mutation>
class BasicPaxosMachine {
 public:
  using Config = BasicPaxosConfig<Mutation>;
  using Message = PaxosMessage;
  using Command = PaxosCommand;
  using Event = PaxosEvent;
  using Record = PaxosRecord;
  using Durable = Record;
  using Output = consensus::Output<Record, Message, Event, 64 + 2 * acceptors_max>;

  BasicPaxosMachine(const Config& config, NodeIndex self, const Recovered<Durable>& recovered);

  void propose(const Command& command, Output& out) noexcept;
  void step(const Envelope<Message>& envelope, Output& out) noexcept;
  void tick(Output& out) noexcept;
  void persisted(PersistToken token, Output& out) noexcept;
  static void apply(Durable& durable, const Record& record) { durable = record; }

  [[nodiscard]] NodeIndex self() const noexcept { return self_; }
  /// The value that this node wants, 0 if it has none since its start.
  [[nodiscard]] Value wanted() const noexcept { return wanted_; }
  [[nodiscard]] Value chosen() const noexcept { return state_.chosen; }
  [[nodiscard]] bool is_chosen_durable() const noexcept {
    return state_.chosen != 0 && chosen_token_ <= durable_token_;
  }
  [[nodiscard]] const Record& state() const noexcept { return state_; }
  [[nodiscard]] std::uint64_t hash() const noexcept;
  friend bool operator==(const BasicPaxosMachine&, const BasicPaxosMachine&) = default;

 private:
  enum class Phase : std::uint8_t { idle, promises, accepts };

  void receive_prepare(NodeIndex from, const Message& prepare, Output& out) noexcept;
  void receive_promise(int acceptor, const Message& promise, Output& out) noexcept;
  void receive_accept(NodeIndex from, const Message& accept, Output& out) noexcept;
  void receive_accepted(int acceptor, const Message& accepted, Output& out) noexcept;
  void receive_ask(NodeIndex from, Output& out) noexcept;
  void hear_accepted(int acceptor, const Message& accepted, Output& out) noexcept;
  void open_ballot(Output& out) noexcept;
  void learn(Value value, Output& out) noexcept;
  void persist(Output& out) noexcept;
  void send_now(NodeIndex to, const Message& message, Output& out) const noexcept;
  void send_durable(NodeIndex to, const Message& message, Mutant hasty, Output& out) const noexcept;
  [[nodiscard]] int acceptor_number(NodeIndex node) const noexcept;
  [[nodiscard]] int needed(int quorum) const noexcept;

  Config config_;
  NodeIndex self_;
  int acceptor_;
  Record state_;
  PersistToken token_ = 0;
  PersistToken durable_token_ = 0;
  PersistToken chosen_token_ = 0;

  Value wanted_ = 0;
  Phase phase_ = Phase::idle;
  Ballot ballot_ = 0;
  Ballot seen_ = 0;
  Ballot best_ballot_ = 0;  // of the promises so far
  Value proposal_ = 0;
  std::uint32_t heard_ = 0;
  std::uint32_t attempts_ = 0;
  std::uint32_t retry_in_;
  std::uint32_t ballot_in_ = 0;

  // Of a learner: the highest ballot that acceptors have told it of, and which ones.
  Ballot told_ballot_ = 0;
  std::uint32_t told_by_ = 0;
};

using PaxosMachine = BasicPaxosMachine<Faithful>;
using PaxosConfig = PaxosMachine::Config;
using MutatedPaxosMachine = BasicPaxosMachine<Mutated>;
extern template class BasicPaxosMachine<Faithful>;
extern template class BasicPaxosMachine<Mutated>;

/// `nodes` nodes, acceptors 0 … quorum.nodes()-1.
/// @throws Error{Errc::usage} if there are not 1 to 64 nodes or too many acceptors
[[nodiscard]] PaxosConfig paxos_config(int nodes, const FlexibleQuorum& quorum);

[[nodiscard]] std::string describe(const PaxosMessage& message);
[[nodiscard]] std::string describe(const PaxosRecord& record);
[[nodiscard]] std::string describe(const PaxosEvent& event);
[[nodiscard]] std::string describe(const PaxosCommand& command);

}  // namespace cairn::consensus
