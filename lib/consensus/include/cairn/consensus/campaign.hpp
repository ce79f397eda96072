/// Many simulated schedules of a protocol: what `cairn sim consensus` and the tests run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cairn/consensus/cluster_model.hpp"
#include "cairn/consensus/explore.hpp"
#include "cairn/consensus/mutation.hpp"
#include "cairn/consensus/sequence.hpp"
#include "cairn/consensus/simulation.hpp"

namespace cairn::consensus {

enum class Protocol : std::uint8_t { paxos, commit, raft };

[[nodiscard]] std::optional<Protocol> protocol_of(std::string_view name) noexcept;
[[nodiscard]] std::string_view name_of(Protocol protocol) noexcept;
/// Does the mutant change anything in this protocol? Paxos has no votes.
[[nodiscard]] bool applies(Mutant mutant, Protocol protocol) noexcept;

struct Campaign {
  Protocol protocol = Protocol::commit;
  int nodes = 5;      ///< participants, or proposers and learners: 0 … nodes-1; Raft's voters
  int acceptors = 3;  ///< nodes 0 … acceptors-1; Raft has none
  std::uint64_t schedules = 1000;
  std::uint64_t seed = 1;  ///< schedule i has the seed `seed + i`
  Mutant mutant = Mutant::none;
  /// Stop after so many violations; 0 goes on to the end.
  std::uint64_t violations_max = 0;
};

struct CampaignResult {
  std::uint64_t schedules = 0;
  std::uint64_t violations = 0;
  std::uint64_t decided = 0;  ///< schedules that committed, or chose a value
  Tally tally;
  std::optional<std::uint64_t> failing_seed;  ///< the first one
  std::string violation;                      ///< its words
  std::uint64_t healed_longest = 0;  ///< units of time from the healing until all had finished
};

/// Runs the schedules. Local, deterministic: a function of `campaign`.
/// @throws Error{Errc::usage} for sizes that the protocol does not have
[[nodiscard]] CampaignResult run(const Campaign& campaign);

struct Story {
  Sequence sequence;
  std::string violation;
  int nodes = 0;
};

/// Runs the one schedule `seed` of a campaign and tells it.
[[nodiscard]] Story tell(const Campaign& campaign, std::uint64_t seed);

/// Which small cluster is explored exhaustively.
struct ExplorerSize {
  Protocol protocol = Protocol::commit;
  int nodes = 2;                 ///< participants, or proposers
  int acceptors = 3;             ///< nodes 0 … acceptors-1
  int crashes = 0;               ///< at most so many in one story
  std::uint32_t ballot_max = 1;  ///< of Raft: the highest term
  Mutant mutant = Mutant::none;
  std::uint64_t states_max = ~std::uint64_t{0};
  int learners = 0;  ///< of Paxos: nodes besides, that neither propose nor accept
  Disks disks = Disks::in_their_time;
  int commands = 1;  ///< that Raft's leaders are asked for, at most
};

/// Explores the machines that are shipped, with every order of ticks, commands, writes, crashes and
/// messages. Local, deterministic.
/// @throws Error{Errc::usage} for more than 6 nodes, more than 15 commands and terms of Raft, or
/// too many different messages
[[nodiscard]] Exploration explore_machines(const ExplorerSize& size);

}  // namespace cairn::consensus
