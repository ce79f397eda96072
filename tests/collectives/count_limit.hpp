/// A lower limit for the counts of one MPI call, so that what happens above 2^31 can be tested.
#pragma once

#include <cstddef>

#include "cairn/collectives/count.hpp"

namespace cairn::test {

/// Sets the limit, and puts the old one back at the end of its scope.
class CountLimit {
 public:
  explicit CountLimit(std::size_t limit) : before_(detail::max_count) { detail::max_count = limit; }
  CountLimit(const CountLimit&) = delete;
  CountLimit& operator=(const CountLimit&) = delete;
  ~CountLimit() { detail::max_count = before_; }

 private:
  std::size_t before_;
};

}  // namespace cairn::test
