/// When is nobody busy, and nothing under way?
#pragma once

#include <cstdint>
#include <optional>

namespace cairn::loadbalance {

/// Messages of a rank since the start, or their sums over the ranks.
struct MessageCounts {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  friend bool operator==(const MessageCounts&, const MessageCounts&) = default;
};

/// Mattern's four counters: ranks that compute, wait, and are woken by messages have all ended when
/// as many messages were sent, by the second of two waves, as had been received by the first.
///
/// A wave sums the counts of all ranks; each adds its own while it is idle, and may be woken
/// afterwards. One wave is not enough: a message may be sent behind it and received before it, and
/// hide another one that is under way. A pure machine, equal on all ranks.
///
/// Source: Mattern, "Algorithms for distributed termination detection", Distributed Computing 2
/// (1987), doi:10.1007/BF01782776.
class FourCounters {
 public:
  /// Whether all has ended, after a wave with these sums.
  [[nodiscard]] bool is_over(const MessageCounts& sums) noexcept {
    const bool over = before_ && before_->received == sums.sent;
    before_ = sums;
    return over;
  }

  friend bool operator==(const FourCounters&, const FourCounters&) = default;

 private:
  std::optional<MessageCounts> before_;
};

}  // namespace cairn::loadbalance
