// The shipped machines under the explorer.

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

#include "cairn/consensus/campaign.hpp"
#include "cairn/consensus/cluster_model.hpp"
#include "cairn/consensus/commit.hpp"
#include "cairn/consensus/explore.hpp"
#include "cairn/consensus/paxos.hpp"
#include "cairn/core/error.hpp"
#include "raft_rules.hpp"

namespace cairn::consensus {
namespace {

template <typename M>
struct CommitRules {
  int participants = 0;

  [[nodiscard]] std::vector<CommitCommand> commands(const M& machine) const {
    if (machine.vote() != Vote::none || machine.decision() != Decision::none) return {};
    return {{Vote::prepared}, {Vote::aborted}};
  }

  [[nodiscard]] std::string check(std::span<const LocalState<M>* const> nodes) const {
    bool committed = false;
    bool aborted = false;
    for (const auto* node : nodes) {
      committed |= node->machine.decision() == Decision::committed;
      aborted |= node->machine.decision() == Decision::aborted;
    }
    if (committed && aborted) return "agreement: committed at one node, aborted at another";
    for (int i = 0; committed && i < participants; ++i)
      if (nodes[static_cast<std::size_t>(i)]->disk.durable.vote != Vote::prepared)
        return "durability: committed without the vote of n" + std::to_string(i) + " on disk";
    return {};
  }
};

template <typename M>
struct PaxosRules {
  int proposers = 0;

  [[nodiscard]] std::vector<PaxosCommand> commands(const M& machine) const {
    const auto node = machine.self();
    if (node >= proposers || machine.wanted() != 0 || machine.chosen() != 0) return {};
    return {{static_cast<Value>(node) + 1}};
  }

  [[nodiscard]] std::string check(std::span<const LocalState<M>* const> nodes) const {
    Value chosen = 0;
    for (const auto* node : nodes) {
      const auto here = node->machine.chosen();
      if (here == 0) continue;
      if (chosen != 0 && here != chosen) return "agreement: two values are chosen";
      if (here > static_cast<Value>(proposers)) return "validity: nobody proposed what is chosen";
      chosen = here;
    }
    return {};
  }
};

template <typename Model>
Exploration explore_model(Model& model, std::uint64_t states_max) {
  auto result = explore(model, states_max);
  if (model.messages() > Model::messages_max)
    throw Error(Errc::usage, "more than " + std::to_string(Model::messages_max) +
                                 " different messages: explore a smaller configuration");
  return result;
}

/// Ticks do what they can do at once; only the ballots are bounded.
template <typename M, typename Rules>
Exploration explore_with(typename M::Config config, const ExplorerSize& size, Rules rules) {
  if constexpr (requires { config.mutation.mutant; }) config.mutation.mutant = size.mutant;
  config.acceptors = first_acceptors(size.acceptors);
  config.retry_ticks = 1;
  config.ballot_max = size.ballot_max;
  const int nodes = std::max(size.nodes, size.acceptors) + size.learners;
  ClusterModel<M, Rules> model(config, nodes, size.crashes, rules, size.disks);
  return explore_model(model, size.states_max);
}

/// A tick is the end of a leader's time, of its silence, or of a follower's patience.
Exploration explore_raft(const ExplorerSize& size) {
  const RaftConfig config{.voters = RaftNodes::first(size.nodes),
                          .election_ticks = 1,
                          .heartbeat_ticks = 1,
                          .mutant = size.mutant};
  // Where a crash cannot take a term back.
  const bool terms_stay = size.crashes == 0 ||
                          (size.disks == Disks::at_once && size.mutant != Mutant::term_not_durable);
  ClusterModel<Raft, RaftRules, 16> model(
      config, size.nodes, size.crashes, {size.ballot_max, size.commands, config.voters, terms_stay},
      size.disks);
  return explore_model(model, size.states_max);
}

template <typename M>
Exploration explore_commit(const ExplorerSize& size) {
  typename M::Config config;
  config.id = {1, 1, 0};
  config.participants = size.nodes;
  config.takeover_ticks = size.mutant == Mutant::unilateral_abort ? 1 : 0;
  return explore_with<M>(config, size, CommitRules<M>{size.nodes});
}

template <typename M>
Exploration explore_paxos(const ExplorerSize& size) {
  typename M::Config config;
  config.nodes = std::max(size.nodes, size.acceptors) + size.learners;
  config.phase1 = config.phase2 = majority(size.acceptors);
  config.ballot_ticks = 0;
  return explore_with<M>(config, size, PaxosRules<M>{size.nodes});
}

}  // namespace

Exploration explore_machines(const ExplorerSize& size) {
  const bool is_raft = size.protocol == Protocol::raft;
  const int acceptors = is_raft ? 0 : size.acceptors;
  if (size.nodes < 1 || size.learners < 0 || std::max(size.nodes, acceptors) + size.learners > 6)
    throw Error(Errc::usage, "the explorer takes 1 to 6 nodes");
  if (size.learners > 0 && size.protocol != Protocol::paxos)
    throw Error(Errc::usage, "only Paxos has learners");
  // Logs of explored nodes shall not be compacted.
  if (is_raft && (size.commands < 0 || size.commands + size.ballot_max > 15))
    throw Error(Errc::usage, "the explorer takes up to 15 commands and terms of Raft together");
  if (size.mutant != Mutant::none && !applies(size.mutant, size.protocol))
    throw Error(Errc::usage, std::string(name_of(size.protocol)) + " has no mutant '" +
                                 std::string(name_of(size.mutant)) + "'");
  if (is_raft) return explore_raft(size);
  const bool faithful = size.mutant == Mutant::none;
  if (size.protocol == Protocol::paxos)
    return faithful ? explore_paxos<PaxosMachine>(size) : explore_paxos<MutatedPaxosMachine>(size);
  return faithful ? explore_commit<CommitMachine>(size)
                  : explore_commit<MutatedCommitMachine>(size);
}

}  // namespace cairn::consensus
