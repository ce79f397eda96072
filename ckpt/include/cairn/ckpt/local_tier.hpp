/// Options of the node-local tier: epochs in each node's own memory or disk, with redundancy over
/// the nodes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace cairn::ckpt {

/// What is stored besides the data, so that lost hosts can be borne. Hosts are taken together in
/// groups of `group` (or some more, when their number is no multiple); each group bears the loss of
/// any `losses` of its hosts.
struct Redundancy {
  int group = 1;
  int losses = 0;

  /// No host may be lost: enough for a job that dies while its hosts live on.
  [[nodiscard]] static Redundancy none() noexcept { return {}; }
  /// Groups of two: each host also holds what the other one has. (With an odd number of hosts the
  /// last group has three, and each of them half of what the other two have.)
  [[nodiscard]] static Redundancy partner() noexcept { return {2, 1}; }
  /// Groups of `hosts` that bear the loss of one, for 1 / (hosts - 1) more of memory.
  [[nodiscard]] static Redundancy exclusive_or(int hosts = 8) noexcept { return {hosts, 1}; }
  /// Groups of data + parity hosts that bear the loss of any `parity`, for parity / data more of
  /// memory.
  [[nodiscard]] static Redundancy reed_solomon(int data, int parity) noexcept {
    return {data + parity, parity};
  }
};

/// The redundancy of a command line: "none", "partner", "xor", or "rs:K+M" with whole numbers.
/// Local.
/// @throws Error{Errc::usage} for other words; marked as agreed, since all ranks have one command
/// line
[[nodiscard]] Redundancy redundancy_of(std::string_view words);

/// Where and when epochs are kept on the nodes. They are not encrypted: a key and a local tier do
/// not go together.
struct LocalTier {
  /// A folder on each host, made if missing; `%h` in it becomes the host's name. On a tmpfs
  /// (/dev/shm) the tier is in memory: it outlives the processes, not the node. Empty: no local
  /// tier.
  std::filesystem::path directory = {};
  /// Steps between local epochs; 0: none. A step at which an epoch of the shared tier is due makes
  /// only that one, and so does a stop signal.
  std::uint64_t every = 0;
  /// With fewer hosts than it takes, fewer losses are covered, and a warning says so.
  Redundancy redundancy = Redundancy::partner();
  /// Committed local epochs to keep, at least 1. With 1, a damaged one leaves nothing here to fall
  /// back to.
  int keep = 2;
  /// What this rank is lost together with; ranks with the same name are one host. Empty: as
  /// MPI_Get_processor_name says. CAIRN_VIRTUAL_HOSTS=N, for tests, makes N hosts of the ranks when
  /// this is empty.
  std::string host = {};
};

}  // namespace cairn::ckpt
