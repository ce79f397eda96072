#include "cairn/consensus/campaign.hpp"

#include <algorithm>
#include <string>

#include "cairn/consensus/raft_judge.hpp"
#include "cairn/consensus/raft_text.hpp"
#include "cairn/core/error.hpp"
#include "commit_judge.hpp"
#include "paxos_judge.hpp"

namespace cairn::consensus {
namespace {

template <typename Config>
void set_mutant(Config& config, [[maybe_unused]] Mutant mutant) {
  if constexpr (requires { config.mutation.mutant; }) config.mutation.mutant = mutant;
}

void check_sizes(const Campaign& campaign) {
  if (campaign.protocol == Protocol::raft && (campaign.nodes < 1 || campaign.nodes > 7))
    throw Error(Errc::usage, std::to_string(campaign.nodes) + " nodes: Raft takes 1 to 7");
  if (campaign.nodes < 1 || campaign.nodes > 64)
    throw Error(Errc::usage, std::to_string(campaign.nodes) + " nodes: there must be 1 to 64");
  if (campaign.acceptors < 1 || campaign.acceptors > acceptors_max)
    throw Error(Errc::usage, std::to_string(campaign.acceptors) +
                                 " acceptors: there must be 1 to " + std::to_string(acceptors_max));
  if (campaign.mutant != Mutant::none && !applies(campaign.mutant, campaign.protocol))
    throw Error(Errc::usage, std::string(name_of(campaign.protocol)) + " has no mutant '" +
                                 std::string(name_of(campaign.mutant)) + "'");
}

template <typename M>
typename M::Config commit_config(const Campaign& campaign) {
  typename M::Config config;
  config.id = {1, 1, 0};
  config.participants = campaign.nodes;
  config.acceptors = first_acceptors(campaign.acceptors);
  set_mutant(config, campaign.mutant);
  return config;
}

template <typename M>
typename M::Config paxos_config_of(const Campaign& campaign) {
  typename M::Config config;
  config.nodes = std::max(campaign.nodes, campaign.acceptors);
  config.acceptors = first_acceptors(campaign.acceptors);
  config.phase1 = config.phase2 = majority(campaign.acceptors);
  set_mutant(config, campaign.mutant);
  return config;
}

/// The faults of a schedule, as the protocol wants them.
template <typename J>
transport::Faults weather(std::uint64_t seed) {
  if constexpr (requires { J::weather(seed); }) return J::weather(seed);
  return transport::swarm(seed);
}

template <typename M, typename J>
CampaignResult run_with(const Campaign& campaign, J judge) {
  Simulation<M, J> simulation(judge);
  CampaignResult result;
  for (std::uint64_t i = 0; i < campaign.schedules; ++i) {
    const auto schedule = simulation.run(campaign.seed + i, weather<J>(campaign.seed + i), nullptr);
    ++result.schedules;
    result.tally += schedule.tally;
    result.healed_longest = std::max(result.healed_longest, schedule.healed_for);
    if (judge.has_decided()) ++result.decided;
    if (schedule.violation.empty()) continue;
    if (result.violations++ == 0) {
      result.failing_seed = campaign.seed + i;
      result.violation = schedule.violation;
    }
    if (result.violations == campaign.violations_max) break;
  }
  return result;
}

template <typename M, typename J>
Story tell_with(std::uint64_t seed, J judge) {
  Simulation<M, J> simulation(judge);
  Story story;
  story.nodes = judge.nodes();
  story.violation = simulation.run(seed, weather<J>(seed), &story.sequence).violation;
  return story;
}

/// Calls `use` with a machine type, as a tag, and the judge of the campaign.
template <typename Use>
auto with_judge(const Campaign& campaign, Use use) {
  check_sizes(campaign);
  const int nodes = std::max(campaign.nodes, campaign.acceptors);
  const auto commit = [&]<typename M>(M*) {
    return use(static_cast<M*>(nullptr), CommitJudge<M>(commit_config<M>(campaign), nodes));
  };
  const auto paxos = [&]<typename M>(M*) {
    return use(static_cast<M*>(nullptr), PaxosJudge<M>(paxos_config_of<M>(campaign), nodes));
  };
  if (campaign.protocol == Protocol::raft)
    return use(static_cast<Raft*>(nullptr), RaftJudge(campaign.nodes, campaign.mutant));
  const bool faithful = campaign.mutant == Mutant::none;
  if (campaign.protocol == Protocol::paxos)
    return faithful ? paxos(static_cast<PaxosMachine*>(nullptr))
                    : paxos(static_cast<MutatedPaxosMachine*>(nullptr));
  return faithful ? commit(static_cast<CommitMachine*>(nullptr))
                  : commit(static_cast<MutatedCommitMachine*>(nullptr));
}

}  // namespace

std::optional<Protocol> protocol_of(std::string_view name) noexcept {
  for (const auto protocol : {Protocol::paxos, Protocol::commit, Protocol::raft})
    if (name == name_of(protocol)) return protocol;
  return std::nullopt;
}

std::string_view name_of(Protocol protocol) noexcept {
  switch (protocol) {
    case Protocol::paxos:
      return "paxos";
    case Protocol::commit:
      return "commit";
    case Protocol::raft:
      return "raft";
  }
  return "?";
}

bool applies(Mutant mutant, Protocol protocol) noexcept {
  const bool is_of_raft = mutant >= Mutant::append_before_persist;
  if (protocol == Protocol::raft)
    return is_of_raft || mutant == Mutant::vote_before_persist || mutant == Mutant::quorum_of_one;
  if (is_of_raft) return false;
  if (protocol == Protocol::commit) return mutant != Mutant::learn_across_ballots;
  return mutant != Mutant::vote_before_persist && mutant != Mutant::majority_of_votes &&
         mutant != Mutant::unilateral_abort;
}

CampaignResult run(const Campaign& campaign) {
  return with_judge(campaign, [&]<typename M, typename J>(M*, J judge) {
    return run_with<M, J>(campaign, std::move(judge));
  });
}

Story tell(const Campaign& campaign, std::uint64_t seed) {
  return with_judge(campaign, [&]<typename M, typename J>(M*, J judge) {
    return tell_with<M, J>(seed, std::move(judge));
  });
}

}  // namespace cairn::consensus
