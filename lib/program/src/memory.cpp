#include "cairn/program/memory.hpp"

#include <fmt/format.h>

#include <cmath>

#include "cairn/core/error.hpp"

namespace cairn::program::detail {

void refuse_memory(const std::string& what, double bytes) {
  constexpr double mib = 1 << 20;
  constexpr double gib = 1 << 30;
  const auto size = bytes < gib ? fmt::format("{:.0f} MiB", std::ceil(bytes / mib))
                                : fmt::format("{:.0f} GiB", std::floor(bytes / gib));
  throw Error(Errc::usage, fmt::format("{} needs {} on each rank, and the system refuses it; use a "
                                       "smaller size, or more ranks on more nodes",
                                       what, size));
}

}  // namespace cairn::program::detail
