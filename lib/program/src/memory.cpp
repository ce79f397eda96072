#include "cairn/program/memory.hpp"

#include <fmt/format.h>

#include <cmath>

#include "cairn/core/error.hpp"

namespace cairn::program::detail {

void refuse_memory(const std::string& what, double bytes) {
  constexpr double gib = 1 << 30;
  throw Error(Errc::usage,
              fmt::format("{} needs {:.0f} GiB on each rank, and the system refuses it; use a "
                          "smaller size, or more ranks on more nodes",
                          what, std::floor(bytes / gib)));
}

}  // namespace cairn::program::detail
