/// The log of Raft, with its compacted begin: values of bounded size.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "cairn/consensus/machine.hpp"
#include "cairn/consensus/node_set.hpp"
#include "cairn/transport/bounded.hpp"
#include "cairn/transport/envelope.hpp"

namespace cairn::consensus {

using transport::Bounded;
using transport::NodeIndex;

/// Nodes that a Raft log can be on.
constexpr NodeIndex raft_nodes_max = 9;

using RaftNodes = NodeSet<64>;

[[nodiscard]] constexpr RaftNodes all_of(RaftNodes a, const RaftNodes& b) noexcept {
  a |= b;
  return a;
}

/// Who votes. While a change is under way both sets must agree.
struct RaftMembership {
  RaftNodes voters = {};
  RaftNodes leaving = {};  ///< the voters before the change; empty: there is none

  [[nodiscard]] bool is_joint() const noexcept { return !leaving.empty(); }
  [[nodiscard]] RaftNodes all() const noexcept { return all_of(voters, leaving); }
  friend bool operator==(const RaftMembership&, const RaftMembership&) = default;
};

/// What the program wants to have agreed on; it means nothing to Raft.
using RaftCommand = std::array<std::uint64_t, 2>;

struct RaftEntry {
  enum class Kind : std::uint8_t { nothing, command, membership };
  std::uint64_t term = 0;
  Kind kind = Kind::nothing;
  RaftMembership membership = {};
  RaftCommand command = {};

  friend bool operator==(const RaftEntry&, const RaftEntry&) = default;
};

/// What stands for all entries up to `index`.
struct RaftSnapshot {
  std::uint64_t index = 0;
  std::uint64_t term = 0;
  RaftMembership membership = {};
  std::uint64_t digest = 0;  ///< a hash chain over the entries

  friend bool operator==(const RaftSnapshot&, const RaftSnapshot&) = default;
};

/// The hash chain over entries, with one more.
[[nodiscard]] inline std::uint64_t raft_digest(std::uint64_t chain,
                                               const RaftEntry& entry) noexcept {
  Hasher hasher;
  hasher.add(chain);
  hasher.add(entry.term);
  hasher.add(entry.kind);
  entry.membership.voters.add_to(hasher);
  entry.membership.leaving.add_to(hasher);
  for (const auto word : entry.command) hasher.add(word);
  return hasher.value();
}

constexpr std::size_t raft_log_capacity = 32;
constexpr std::size_t raft_entries_per_message = 4;

/// A snapshot and the entries behind it.
class RaftLog {
 public:
  RaftLog() = default;

  [[nodiscard]] const RaftSnapshot& snapshot() const noexcept { return snapshot_; }
  [[nodiscard]] std::uint64_t first() const noexcept { return snapshot_.index + 1; }
  [[nodiscard]] std::uint64_t last() const noexcept { return snapshot_.index + entries_.size(); }
  [[nodiscard]] std::uint64_t last_term() const noexcept { return term_at(last()); }
  [[nodiscard]] std::size_t room() const noexcept { return raft_log_capacity - entries_.size(); }
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

  [[nodiscard]] bool has(std::uint64_t index) const noexcept {
    return index >= first() && index <= last();
  }
  /// @param index  of the snapshot, or of an entry
  [[nodiscard]] std::uint64_t term_at(std::uint64_t index) const noexcept {
    assert(index == snapshot_.index || has(index));
    return index == snapshot_.index ? snapshot_.term : at(index).term;
  }
  [[nodiscard]] const RaftEntry& at(std::uint64_t index) const noexcept {
    assert(has(index));
    return entries_[static_cast<std::size_t>(index - first())];
  }
  /// Whether an entry of this term stands at `index`, or is known to have stood there.
  [[nodiscard]] bool matches(std::uint64_t index, std::uint64_t term) const noexcept {
    return (index == snapshot_.index || has(index)) && term_at(index) == term;
  }
  /// The newest membership up to `index`.
  [[nodiscard]] RaftMembership membership_at(std::uint64_t index) const noexcept {
    for (auto i = std::min(index, last()); i >= first(); --i)
      if (at(i).kind == RaftEntry::Kind::membership) return at(i).membership;
    return snapshot_.membership;
  }

  /// False when there is no room.
  bool push(const RaftEntry& entry) noexcept {
    if (entries_.full()) return false;
    entries_.push_back(entry);
    return true;
  }
  void truncate_behind(std::uint64_t index) noexcept {
    assert(index >= snapshot_.index);
    entries_.shrink(static_cast<std::size_t>(index - snapshot_.index));
  }
  /// Replaces the entries up to snapshot.index.
  void compact(const RaftSnapshot& snapshot) noexcept {
    assert(snapshot.index >= snapshot_.index && snapshot.index <= last());
    const auto dropped = static_cast<std::size_t>(snapshot.index - snapshot_.index);
    std::copy(entries_.begin() + dropped, entries_.end(), entries_.begin());
    entries_.shrink(entries_.size() - dropped);
    snapshot_ = snapshot;
  }
  /// Forgets all, and begins behind the snapshot.
  void restart(const RaftSnapshot& snapshot) noexcept {
    entries_.clear();
    snapshot_ = snapshot;
  }

  friend bool operator==(const RaftLog&, const RaftLog&) = default;

 private:
  RaftSnapshot snapshot_;
  Bounded<RaftEntry, raft_log_capacity> entries_;
};

}  // namespace cairn::consensus
