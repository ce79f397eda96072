/// Pace: how many steps to take between two looks at the outside world.
#pragma once

#include <cstdint>

#include "cairn/collectives/communicator.hpp"

namespace cairn::program {

/// How many steps of a program take about 50 ms, as rank 0 measures: often enough to hear a stop
/// signal, seldom enough to cost nothing.
class Pace {
 public:
  /// At least 1, equal on all ranks. Collective, blocking: one broadcast.
  [[nodiscard]] std::uint64_t steps(const Communicator& comm) const;

  /// The last `steps` took so long. Local.
  void took(std::uint64_t steps, double seconds) noexcept;

 private:
  std::uint64_t steps_ = 1;
};

}  // namespace cairn::program
