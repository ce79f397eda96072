/// What an `inc.K` file says: who claimed incarnation K of a lineage, and which older epochs it
/// honours. The bytes are in FORMAT.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::consensus {

/// Who claims: everything by which another launch can tell later whether this one is still there.
struct Claimant {
  enum class Kind : std::uint8_t {
    launch,       ///< of a program, which saves epochs
    tool,         ///< something that changes the directory for a moment, as `cairn ckpt prune`
    by_operator,  ///< somebody who has decided that the former owner is gone
  };
  Kind kind = Kind::launch;
  std::string nonce = {};  ///< random, of this claim alone
  std::string host = {};
  /// Of the kernel and of the process namespace: a process number means something where both are
  /// equal.
  std::string boot = {};
  std::string pid_namespace = {};
  std::int64_t pid = 0;
  std::uint64_t start_ticks = 0;  ///< since boot: tells the process from a later one of its number
  std::int64_t launched = 0;      ///< seconds since 1970 on that host's clock; for people
  std::string supervisor = {};    ///< the `cairn run` that started it
  int launch = 0;                 ///< its number there
  std::string scheduler = {};     ///< "slurm", or empty
  std::string cluster = {};
  std::string scheduler_job = {};
  int scheduler_restarts = 0;
  std::vector<std::string> nodes = {};  ///< hosts of its ranks

  bool operator==(const Claimant&) const = default;
};

/// This process, with a new nonce; its scheduler's job and its supervisor from the environment.
/// Local.
[[nodiscard]] Claimant this_process(Claimant::Kind kind = Claimant::Kind::launch);

/// "process 71 on node1, started 2026-11-28 16:00:00 UTC, job 12" for messages. Local.
[[nodiscard]] std::string describe(const Claimant& claimant);

/// The newest epoch of an incarnation that counts.
struct LastEpoch {
  std::uint64_t incarnation = 0;
  std::uint64_t epoch = 0;

  bool operator==(const LastEpoch&) const = default;
};

/// The contents of `inc.K`.
struct Claim {
  std::uint64_t incarnation = 0;  ///< K
  Claimant owner = {};
  /// For each older incarnation with an epoch that counts, the newest such; the last entry is the
  /// parent. Nothing between the claim and its confirmation, and for claims that confirm nothing.
  std::optional<std::vector<LastEpoch>> honoured = {};

  bool operator==(const Claim&) const = default;

  /// The (incarnation, epoch) that this incarnation goes on from; nothing at a first launch.
  [[nodiscard]] std::optional<LastEpoch> parent() const;

  /// Whether a record of `record.incarnation` with the number `record.epoch` was written too late:
  /// after this incarnation had taken over. Records of no incarnation (0) are never void.
  [[nodiscard]] bool voids(const LastEpoch& record) const;
};

/// The bytes of the file, with their checksum.
[[nodiscard]] std::string claim_text(const Claim& claim);

/// Reads what claim_text() wrote.
/// @throws Error{Errc::bad_data} for what is torn or damaged, {usage} for a later version
[[nodiscard]] Claim parse_claim(std::string_view text);

}  // namespace cairn::consensus
