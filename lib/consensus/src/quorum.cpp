#include "cairn/consensus/quorum.hpp"

#include <algorithm>
#include <bit>
#include <string>

#include "cairn/core/error.hpp"

namespace cairn::consensus {

Verdict majority_verdict(Members members, Members yes, Members no) noexcept {
  const int nodes = std::popcount(members);
  if (nodes == 0) return Verdict::won;
  const int ayes = std::popcount(members & yes);
  const int noes = std::popcount(members & no & ~yes);
  if (ayes >= majority(nodes)) return Verdict::won;
  return nodes - noes < majority(nodes) ? Verdict::lost : Verdict::pending;
}

std::uint64_t majority_reached(Members members, std::span<const std::uint64_t> reached) noexcept {
  if (members == 0) return ~std::uint64_t{0};
  const int needed = majority(std::popcount(members));
  std::uint64_t best = 0;
  // At most 64 nodes: the quadratic way needs no memory.
  for (std::size_t i = 0; i < reached.size(); ++i) {
    if ((members >> i & 1) == 0 || reached[i] <= best) continue;
    int there = 0;
    for (std::size_t j = 0; j < reached.size(); ++j)
      there += (members >> j & 1) != 0 && reached[j] >= reached[i] ? 1 : 0;
    if (there >= needed) best = reached[i];
  }
  return best;
}

FlexibleQuorum::FlexibleQuorum(int nodes, int phase1, int phase2)
    : nodes_(nodes), phase1_(phase1), phase2_(phase2) {
  const auto sizes = std::to_string(phase1) + " and " + std::to_string(phase2) + " of " +
                     std::to_string(nodes) + " acceptors";
  if (phase1 < 1 || phase2 < 1 || phase1 > nodes || phase2 > nodes)
    throw Error(Errc::usage, "quorums of " + sizes + ": each needs at least 1 and at most all");
  if (phase1 + phase2 <= nodes)
    throw Error(Errc::usage, "quorums of " + sizes +
                                 " need not meet, so two values could be chosen; together they "
                                 "must be more than all");
}

Verdict JointQuorum::verdict(Members yes, Members no) const noexcept {
  const auto a = majority_verdict(incoming, yes, no);
  const auto b = majority_verdict(outgoing, yes, no);
  if (a == b) return a;
  return a == Verdict::lost || b == Verdict::lost ? Verdict::lost : Verdict::pending;
}

std::uint64_t JointQuorum::reached(std::span<const std::uint64_t> reached) const noexcept {
  return std::min(majority_reached(incoming, reached), majority_reached(outgoing, reached));
}

ByzantineQuorum ByzantineQuorum::of(int nodes) {
  if (nodes < 1) throw Error(Errc::usage, "a quorum needs at least one node");
  return ByzantineQuorum(nodes);
}

int ByzantineQuorum::believed(std::span<const std::uint64_t> copies) const noexcept {
  for (std::size_t i = 0; i < copies.size(); ++i)
    if (is_believed(static_cast<int>(std::count(copies.begin(), copies.end(), copies[i]))))
      return static_cast<int>(i);
  return -1;
}

}  // namespace cairn::consensus
