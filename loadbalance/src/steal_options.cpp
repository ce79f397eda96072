#include "cairn/loadbalance/steal_options.hpp"

#include <string>

#include "cairn/core/error.hpp"

namespace cairn::loadbalance {

void check(const StealOptions& options) {
  const auto expect = [](bool holds, const std::string& what) {
    if (!holds) throw Error(Errc::usage, what);
  };
  for (const int tries : {options.host_tries, options.random_tries})
    expect(tries >= 0 && tries <= most_tries, std::to_string(tries) + " tries to steal: 0 to " +
                                                  std::to_string(most_tries) + " are possible");
  expect(options.least_work_us >= 0,
         std::to_string(options.least_work_us) + " us of work that a rank keeps: it is 0 or more");
  expect(options.ranks_per_host >= 0,
         std::to_string(options.ranks_per_host) + " ranks per host: it is 0 or more");
}

}  // namespace cairn::loadbalance
