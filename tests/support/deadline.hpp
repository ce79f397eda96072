/// Ends a test that waits for what does not come, with its cause, before the runner kills it.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>

namespace cairn::test {

/// Two minutes: more than anything that comes takes, on a busy machine and under a sanitizer.
class Deadline {
 public:
  /// Call it in the loop. @param describe  gives a string that says how things are
  template <typename Describe>
  void check(Describe&& describe) const {
    if (std::chrono::steady_clock::now() < end_) return;
    throw std::runtime_error("in two minutes it has not come about: " + describe());
  }

 private:
  std::chrono::steady_clock::time_point end_ =
      std::chrono::steady_clock::now() + std::chrono::minutes(2);
};

}  // namespace cairn::test
