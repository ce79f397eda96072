/// How fast the time of elections passes, so that slow disks do not keep a journal without a
/// leader.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

namespace cairn::consensus::journal {

/// Of the ticks of a node some are Raft's: all of them where disks are fast. A vote and an answer
/// are written before they are told, so an election lasts two writes, one after the other; where
/// that is longer than the patience of a candidate, each would give up before it can win, for ever
/// (the paper's timing requirement, section 5.6, does not hold). So the time of elections is
/// stretched as the disks of the fastest majority need it. Heartbeats are stretched with it, at all
/// nodes alike, since nodes tell each other how their disks lag.
class Pace {
 public:
  /// A record has been under way for this many ticks; once a tick, and 0 when there is none.
  void see(std::uint64_t ticks_of_record) noexcept {
    const auto seen = static_cast<std::uint32_t>(std::min(ticks_of_record, lag_max));
    if (seen >= lag_) {
      lag_ = seen;
      age_ = 0;
    } else if (++age_ >= 16 + 2 * lag_) {  // longer than an answer waits for the next record
      lag_ -= (lag_ + 3) / 4;
      age_ = 0;
    }
  }

  /// In ticks, how long a record takes that is among the slow ones of late.
  [[nodiscard]] std::uint32_t lag() const noexcept { return lag_; }

  /// Whether this tick is one of Raft's.
  /// @param lags  of the voters that are heard, this one included; reordered
  /// @param majority  of all voters
  [[nodiscard]] bool is_due(std::span<std::uint32_t> lags, std::size_t majority) noexcept {
    std::uint64_t lag = 0;
    if (!lags.empty()) {
      const auto last =
          lags.begin() + static_cast<std::ptrdiff_t>(std::min(majority, lags.size()) - 1);
      std::nth_element(lags.begin(), last, lags.end());
      lag = *last;
    }
    // An election's patience is 10 to 20 ticks of Raft: of 1 + lag / 4 ticks each they hold two
    // writes.
    if (++since_ < 1 + std::min(lag, lag_max) / 4) return false;
    since_ = 0;
    return true;
  }

 private:
  static constexpr std::uint64_t lag_max = 400;  // of a disk that hangs; 20 s in ticks of 50 ms

  std::uint32_t lag_ = 0;
  std::uint32_t age_ = 0;  // ticks since the lag was seen, or became less
  std::uint64_t since_ = 0;
};

}  // namespace cairn::consensus::journal
