/// Which ranks are lost together, and who keeps parity for whom.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cairn/ckpt/local_tier.hpp"
#include "cairn/collectives/communicator.hpp"

namespace cairn::ckpt {

/// The hosts of a communicator's ranks, in the order of their lowest rank.
struct FailureDomains {
  std::vector<std::string> hosts;
  std::vector<int> host_of;                ///< of each rank
  std::vector<int> index_on_host;          ///< of each rank: 0 for the lowest one of its host
  std::vector<std::vector<int>> ranks_of;  ///< of each host
};

/// What MPI calls the machine of this rank. Local.
[[nodiscard]] std::string machine_name();

/// The words of all ranks, by rank. Collective.
[[nodiscard]] std::vector<std::string> words_of_all(const Communicator& comm,
                                                    const std::string& mine);

/// Collective. @param host  this rank's LocalTier::host
[[nodiscard]] FailureDomains find_failure_domains(const Communicator& comm,
                                                  const std::string& host);
/// The same from names. Local.
[[nodiscard]] FailureDomains failure_domains_of(const std::vector<std::string>& host_of_rank);

/// The path with the host's name in the place of each `%h`. Local.
[[nodiscard]] std::filesystem::path path_on(const std::string& host,
                                            const std::filesystem::path& path);

/// One member of a redundancy set: a rank that stores parity, and brings its part, unless that
/// belongs to another set already.
struct SetMember {
  int rank = 0;
  bool has_part = true;
};

/// Ranks of different hosts that keep parity for each other.
struct RedundancySet {
  int losses = 0;
  std::vector<SetMember> members;
};

/// Every rank's part belongs to one set, and the members of a set live on different hosts: the
/// j-th ranks of all hosts of a group make a set. A host with fewer ranks sends one of them to
/// store parity there. No sets without redundancy, or on one host. A group of fewer hosts than
/// losses + 1 bears as many losses as it can. Local.
[[nodiscard]] std::vector<RedundancySet> redundancy_sets(const FailureDomains& domains,
                                                         const Redundancy& redundancy);

}  // namespace cairn::ckpt
