#include "cairn/loadbalance/pool_options.hpp"

#include <string>

#include "cairn/core/error.hpp"

namespace cairn::loadbalance {

void check(const WorkPoolOptions& options) {
  if (options.threads < 1)
    throw Error(Errc::usage, std::to_string(options.threads) + " threads: at least one works");
  check(options.stealing);
  if (!(options.pulse_seconds >= 0))
    throw Error(Errc::usage,
                "pulse_seconds is " + std::to_string(options.pulse_seconds) + ": it is 0 or more");
}

}  // namespace cairn::loadbalance
