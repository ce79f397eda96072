/// A network in memory that obeys a seed.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "cairn/transport/draws.hpp"
#include "cairn/transport/envelope.hpp"
#include "cairn/transport/faults.hpp"

namespace cairn::transport {

/// Carries envelopes between at most 64 nodes: with latency, loss, duplication, reordering and
/// partitions, all drawn from a seed. Local; allocates only while its pool grows.
///
///     slot of the wheel   now   now+1   now+2  …
///                          │      │       │
///                        [ e ]  [ e ]→[ e ]      envelopes by their hour of arrival
template <typename Message>
class SimulatedNetwork {
 public:
  static constexpr int nodes_max = 64;
  struct Counts {
    std::uint64_t sent = 0, delivered = 0, lost = 0, duplicated = 0;
    friend bool operator==(const Counts&, const Counts&) = default;
  };
  struct Arrival {
    Envelope<Message> envelope;
    std::uint64_t sent_at = 0;
  };

  SimulatedNetwork(int nodes, const Faults& faults, std::uint64_t seed) : draws_(seed, 1) {
    reset(nodes, faults, seed);
  }

  /// As constructed, with the memory kept.
  void reset(int nodes, const Faults& faults, std::uint64_t seed) {
    assert(0 < nodes && nodes <= nodes_max);
    faults_ = faults;
    draws_ = Draws(seed, 1);
    nodes_ = nodes;
    now_ = 0;
    counts_ = {};
    cut_.fill(0);
    first_.fill(none);
    last_.fill(none);
    pool_.clear();
    free_ = none;
    under_way_ = 0;
  }

  /// Takes a message; says whether any copy of it is under way.
  bool send(const Envelope<Message>& envelope) {
    ++counts_.sent;
    const auto luck = draws_.bits();
    if (is_cut(envelope.from, envelope.to) || (luck & 0xffff) < faults_.loss) {
      ++counts_.lost;
      return false;
    }
    post(envelope, luck >> 32);
    if (((luck >> 16) & 0xffff) < faults_.duplication) {
      ++counts_.duplicated;
      post(envelope, mixed(luck) >> 32);
    }
    return true;
  }

  /// Moves the clock on by one and gives `deliver(const Arrival&)` what arrives. A link that is cut
  /// by then drops it. What `deliver` sends arrives later.
  template <typename Deliver>
  void advance(Deliver&& deliver) {
    const auto slot = ++now_ % slots;
    auto index = first_[slot];
    first_[slot] = last_[slot] = none;
    while (index != none) {
      const Arrival arrival = pool_[index].arrival;
      const auto next = pool_[index].next;
      pool_[index].next = free_;
      free_ = index;
      index = next;
      --under_way_;
      if (is_cut(arrival.envelope.from, arrival.envelope.to)) {
        ++counts_.lost;
        continue;
      }
      ++counts_.delivered;
      deliver(arrival);
    }
  }

  /// Cuts, or joins again, the direction from → to. A node always reaches itself.
  void cut(NodeIndex from, NodeIndex to) noexcept { cut_[from] |= bit(to); }
  void join(NodeIndex from, NodeIndex to) noexcept { cut_[from] &= ~bit(to); }
  [[nodiscard]] bool is_cut(NodeIndex from, NodeIndex to) const noexcept {
    return from != to && (cut_[from] & bit(to)) != 0;
  }
  /// All links whole, no more faults; what is under way stays under way.
  void heal() noexcept {
    cut_.fill(0);
    faults_.loss = faults_.duplication = faults_.slow = 0;
    faults_.delay_max = std::min(faults_.delay_max, 2U);
  }

  [[nodiscard]] std::uint64_t now() const noexcept { return now_; }
  [[nodiscard]] std::size_t under_way() const noexcept { return under_way_; }
  [[nodiscard]] const Counts& counts() const noexcept { return counts_; }
  [[nodiscard]] int nodes() const noexcept { return nodes_; }

 private:
  static constexpr std::uint32_t slots = 512;
  static constexpr std::uint32_t none = ~0U;
  struct Item {
    Arrival arrival;
    std::uint32_t next = none;
  };
  static constexpr std::uint64_t bit(NodeIndex node) noexcept { return std::uint64_t{1} << node; }

  void post(const Envelope<Message>& envelope, std::uint64_t luck) {
    auto longest = faults_.delay_max;
    if ((luck & 0xffff) < faults_.slow) longest *= 16;
    longest = std::min(longest, slots - 1);
    const auto delay = 1 + static_cast<std::uint32_t>(((luck >> 16) & 0xffff) * longest >> 16);
    const auto index = take_item();
    pool_[index] = {{envelope, now_}, none};
    const auto slot = (now_ + delay) % slots;
    if (last_[slot] == none)
      first_[slot] = index;
    else
      pool_[last_[slot]].next = index;
    last_[slot] = index;
    ++under_way_;
  }

  std::uint32_t take_item() {
    if (free_ == none) {
      pool_.emplace_back();
      return static_cast<std::uint32_t>(pool_.size() - 1);
    }
    const auto index = free_;
    free_ = pool_[index].next;
    return index;
  }

  Faults faults_;
  Draws draws_;
  int nodes_ = 0;
  std::uint64_t now_ = 0;
  Counts counts_;
  std::array<std::uint64_t, nodes_max> cut_{};
  std::array<std::uint32_t, slots> first_{};
  std::array<std::uint32_t, slots> last_{};
  std::vector<Item> pool_;
  std::uint32_t free_ = none;
  std::size_t under_way_ = 0;
};

/// One node's end of a SimulatedNetwork, which outlives it: a Transport. Whoever owns the network
/// moves its clock, and puts what arrives into the ends with `put`.
template <typename Message>
class SimulatedTransport {
 public:
  explicit SimulatedTransport(SimulatedNetwork<Message>& network) : network_(&network) {}

  void offer(const Envelope<Message>& envelope) noexcept { network_->send(envelope); }
  std::size_t poll(std::span<Envelope<Message>> room) noexcept {
    std::size_t taken = 0;
    for (; taken < room.size() && !inbox_.empty(); ++taken) {
      room[taken] = inbox_.front();
      inbox_.pop_front();
    }
    return taken;
  }
  void put(const Envelope<Message>& envelope) { inbox_.push_back(envelope); }

 private:
  SimulatedNetwork<Message>* network_;
  std::deque<Envelope<Message>> inbox_;
};

}  // namespace cairn::transport
