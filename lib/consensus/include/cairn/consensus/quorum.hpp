/// Who is enough: arithmetic on the sizes and sets of nodes.
#pragma once

#include <cstdint>
#include <span>

namespace cairn::consensus {

/// A set of at most 64 nodes, node i as bit i.
using Members = std::uint64_t;

/// How a ballot among nodes stands.
enum class Verdict : std::uint8_t { pending, won, lost };

/// More than half of `nodes`; any two such sets share a node. With nodes = 2f+1, f may crash.
[[nodiscard]] constexpr int majority(int nodes) noexcept { return nodes / 2 + 1; }

/// How many of `nodes` may crash while a majority stays: f of 2f+1, and of 2f+2 too.
[[nodiscard]] constexpr int crashes_tolerated(int nodes) noexcept { return (nodes - 1) / 2; }

/// A majority of `members` said yes, or can no longer. No members: won, as etcd has it, so that a
/// joint configuration with an empty half behaves like the other half.
[[nodiscard]] Verdict majority_verdict(Members members, Members yes, Members no) noexcept;

/// The largest index that a majority of `members` has reached; `reached[i]` belongs to node i.
/// No members: the largest index that there is.
[[nodiscard]] std::uint64_t majority_reached(Members members,
                                             std::span<const std::uint64_t> reached) noexcept;

/// Phase 1 asks one number of acceptors, phase 2 another; it is enough that each pair of a phase-1
/// and a phase-2 quorum shares an acceptor.
///
/// Source: Howard, Malkhi, Spiegelman, "Flexible Paxos: Quorum intersection revisited", OPODIS
/// 2016, doi:10.4230/LIPIcs.OPODIS.2016.25.
class FlexibleQuorum {
 public:
  /// @throws Error{Errc::usage} unless 1 ≤ phase1, phase2 ≤ nodes < phase1 + phase2
  FlexibleQuorum(int nodes, int phase1, int phase2);
  [[nodiscard]] static FlexibleQuorum majorities(int nodes) {
    return {nodes, majority(nodes), majority(nodes)};
  }
  [[nodiscard]] int nodes() const noexcept { return nodes_; }
  [[nodiscard]] int phase1() const noexcept { return phase1_; }
  [[nodiscard]] int phase2() const noexcept { return phase2_; }
  friend bool operator==(const FlexibleQuorum&, const FlexibleQuorum&) = default;

 private:
  int nodes_;
  int phase1_;
  int phase2_;
};

/// Two configurations at once, while membership changes: what counts needs a majority of both.
///
/// Source: Ongaro, Ousterhout, "In Search of an Understandable Consensus Algorithm", USENIX ATC
/// 2014, section 6.
struct JointQuorum {
  Members incoming = 0;
  Members outgoing = 0;  ///< empty outside of a change

  [[nodiscard]] Verdict verdict(Members yes, Members no) const noexcept;
  [[nodiscard]] std::uint64_t reached(std::span<const std::uint64_t> reached) const noexcept;
  friend bool operator==(const JointQuorum&, const JointQuorum&) = default;
};

/// For nodes that lie: of 3f+1, f may say anything, and 2f+1 are a quorum, since two of those share
/// f+1 nodes and so an honest one. Cairn's protocols do not bear lies; this is for reading digests
/// that were stored several times.
class ByzantineQuorum {
 public:
  /// The largest f that `nodes` bear. @throws Error{Errc::usage} unless nodes ≥ 1
  [[nodiscard]] static ByzantineQuorum of(int nodes);
  [[nodiscard]] int nodes() const noexcept { return nodes_; }
  [[nodiscard]] int faults() const noexcept { return (nodes_ - 1) / 3; }
  /// The smallest size of which any two sets share f+1 nodes: 2f+1 when nodes = 3f+1.
  [[nodiscard]] int quorum() const noexcept { return (nodes_ + faults()) / 2 + 1; }
  /// `equal` copies are the same: at least one of them is honest.
  [[nodiscard]] bool is_believed(int equal) const noexcept { return equal > faults(); }
  /// The value of which f+1 copies agree, as its index in `copies`, or -1. With at most f liars
  /// there is at most one such value among the copies of honest nodes that agree.
  [[nodiscard]] int believed(std::span<const std::uint64_t> copies) const noexcept;

 private:
  explicit ByzantineQuorum(int nodes) noexcept : nodes_(nodes) {}
  int nodes_;
};

}  // namespace cairn::consensus
