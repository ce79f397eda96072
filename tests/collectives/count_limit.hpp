/// A lower limit for the counts of one MPI call, so that what happens above 2^31 can be tested, and
/// a witness that the calls keep to it.
#pragma once

#include <cstddef>

namespace cairn::test {

/// Sets the limit; at the end of its scope checks that no call that carries data had a larger
/// count, and puts the old limit back. Link count_limit.cpp, which stands between the library and
/// MPI.
class CountLimit {
 public:
  explicit CountLimit(std::size_t limit);
  CountLimit(const CountLimit&) = delete;
  CountLimit& operator=(const CountLimit&) = delete;
  ~CountLimit();

 private:
  std::size_t limit_;
  std::size_t before_;
};

}  // namespace cairn::test
