/// fresh: a new std::vector as the output of a call, which returns it.
///
///     std::vector<double> all = all_gather(comm, mine, fresh);
///
/// New memory has to be faulted in, page by page: for large outputs in a loop, reuse one (into()).
#pragma once

#include <vector>

namespace cairn {

struct Fresh {
  template <typename T>
  using Made = std::vector<T>;
};
inline constexpr Fresh fresh{};

}  // namespace cairn
