#include "cairn/loadbalance/pool_options.hpp"

#include <string>

#include "cairn/core/error.hpp"

namespace cairn::loadbalance {

void check(const WorkPoolOptions& options) {
  if (options.threads < 1)
    throw Error(Errc::usage, std::to_string(options.threads) + " threads: at least one works");
  for (const int tries : {options.stealing.host_tries, options.stealing.random_tries})
    if (tries < 0 || tries > most_tries)
      throw Error(Errc::usage, std::to_string(tries) + " tries to steal: 0 to " +
                                   std::to_string(most_tries) + " are possible");
  if (!(options.stealing.least_work_us >= 0))
    throw Error(Errc::usage, "least_work_us is " + std::to_string(options.stealing.least_work_us) +
                                 ": it is 0 or more");
  if (options.stealing.ranks_per_host < 0)
    throw Error(Errc::usage, std::to_string(options.stealing.ranks_per_host) +
                                 " ranks per host: 0 asks MPI, others are numbers of ranks");
  if (!(options.pulse_seconds >= 0))
    throw Error(Errc::usage,
                "pulse_seconds is " + std::to_string(options.pulse_seconds) + ": it is 0 or more");
}

}  // namespace cairn::loadbalance
