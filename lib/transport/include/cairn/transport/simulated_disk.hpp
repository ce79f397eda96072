/// A disk in memory whose writes can be late, lost or torn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "cairn/transport/draws.hpp"
#include "cairn/transport/faults.hpp"

namespace cairn::transport {

/// What a crash left behind.
enum class DiskState : std::uint8_t { blank, valid, unreadable };

/// One node's durable state. Writes complete in order, each after a time of its own; a crash loses
/// an end of what is under way, may have done the rest without saying so, and may tear the first
/// write that it lost. `apply(Durable&, const Record&)` makes a write.
template <typename Durable, typename Record>
class SimulatedDisk {
 public:
  void reset() {
    durable_ = {};
    state_ = DiskState::blank;
    pending_.clear();
    head_ = 0;
  }

  /// Begins to write; `token` names it on completion.
  void begin(const Record& record, std::uint64_t token, std::uint64_t now, const Faults& faults,
             Draws& draws) {
    auto longest = faults.write_max;
    if (faults.late_write > 0 && draws.chance(faults.late_write)) longest *= 16;
    auto done_at = now + 1 + (longest > 1 ? draws.below(longest) : 0);
    if (busy() && pending_.back().done_at > done_at) done_at = pending_.back().done_at;
    pending_.push_back({record, token, done_at});
  }

  [[nodiscard]] bool busy() const noexcept { return head_ < pending_.size(); }
  [[nodiscard]] bool is_due(std::uint64_t now) const noexcept {
    return busy() && pending_[head_].done_at <= now;
  }

  /// Completes the oldest write under way; returns its token.
  template <typename Apply>
  std::uint64_t complete(Apply&& apply) {
    const auto& write = pending_[head_];
    apply(durable_, write.record);
    state_ = DiskState::valid;
    const auto token = write.token;
    if (++head_ == pending_.size()) {
      pending_.clear();
      head_ = 0;
    }
    return token;
  }

  struct Loss {
    int lost = 0;
    int torn = 0;
  };

  /// The node crashes. `may_tear` is false where a cluster could not bear one more torn record.
  template <typename Apply>
  Loss crash(const Faults& faults, bool may_tear, Draws& draws, Apply&& apply) {
    Loss loss;
    while (busy() && !draws.chance(faults.lost_write)) complete(apply);
    loss.lost = static_cast<int>(pending_.size() - head_);
    if (loss.lost > 0 && may_tear && draws.chance(faults.torn_write)) {
      state_ = DiskState::unreadable;
      durable_ = {};
      loss.torn = 1;
    }
    pending_.clear();
    head_ = 0;
    return loss;
  }

  /// An unreadable record stays so until its owner writes a new one, which must say that it
  /// abstains.
  [[nodiscard]] DiskState state() const noexcept { return state_; }
  [[nodiscard]] const Durable& durable() const noexcept { return durable_; }

 private:
  struct Pending {
    Record record;
    std::uint64_t token = 0;
    std::uint64_t done_at = 0;
  };
  Durable durable_{};
  DiskState state_ = DiskState::blank;
  std::vector<Pending> pending_;
  std::size_t head_ = 0;
};

}  // namespace cairn::transport
