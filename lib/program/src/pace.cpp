#include "cairn/program/pace.hpp"

#include <algorithm>

#include "cairn/collectives/collective.hpp"

namespace cairn::program {

std::uint64_t Pace::steps(const Communicator& comm) const { return bcast(comm, steps_); }

void Pace::took(std::uint64_t steps, double seconds) noexcept {
  const double fitting = 0.05 * static_cast<double>(steps) / std::max(seconds, 1e-9);
  const auto most = static_cast<double>(2 * steps_);  // one lucky measurement proves nothing
  steps_ = static_cast<std::uint64_t>(std::clamp(fitting, 1.0, most));
}

}  // namespace cairn::program
