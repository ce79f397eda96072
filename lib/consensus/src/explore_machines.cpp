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

/// Ticks do what they can do at once; only the ballots are bounded.
template <typename M, typename Rules>
Exploration explore_with(typename M::Config config, const ExplorerSize& size, Rules rules) {
  if constexpr (requires { config.mutation.mutant; }) config.mutation.mutant = size.mutant;
  config.acceptors = first_acceptors(size.acceptors);
  config.retry_ticks = 1;
  config.ballot_max = size.ballot_max;
  const int nodes = std::max(size.nodes, size.acceptors) + size.learners;
  ClusterModel<M, Rules> model(config, nodes, size.crashes, rules, size.disks);
  auto result = explore(model, size.states_max);
  if (model.messages() > 512)
    throw Error(Errc::usage, "more than 512 different messages: explore a smaller configuration");
  return result;
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
  if (size.nodes < 1 || size.learners < 0 ||
      std::max(size.nodes, size.acceptors) + size.learners > 6)
    throw Error(Errc::usage, "the explorer takes 1 to 6 nodes");
  if (size.learners > 0 && size.protocol != Protocol::paxos)
    throw Error(Errc::usage, "only Paxos has learners");
  if (size.protocol == Protocol::raft)
    throw Error(Errc::usage, "Raft's terms have no end, and so its states; simulate it instead");
  if (size.mutant != Mutant::none && !applies(size.mutant, size.protocol))
    throw Error(Errc::usage, std::string(name_of(size.protocol)) + " has no mutant '" +
                                 std::string(name_of(size.mutant)) + "'");
  const bool faithful = size.mutant == Mutant::none;
  if (size.protocol == Protocol::paxos)
    return faithful ? explore_paxos<PaxosMachine>(size) : explore_paxos<MutatedPaxosMachine>(size);
  return faithful ? explore_commit<CommitMachine>(size)
                  : explore_commit<MutatedCommitMachine>(size);
}

}  // namespace cairn::consensus
