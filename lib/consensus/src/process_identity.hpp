/// Which process a number means: on this kernel, in this namespace, started then.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cairn/consensus/claim.hpp"

namespace cairn::consensus {

/// Of the running kernel; empty where there is none.
[[nodiscard]] std::string boot_id();

/// Of this process's numbers; empty where it is unknown.
[[nodiscard]] std::string pid_namespace();

/// When the process was started, in ticks since boot; nothing when it does not exist or has ended.
[[nodiscard]] std::optional<std::uint64_t> start_ticks(std::int64_t pid);

/// Whether numbers of the claimant's processes mean the same here.
[[nodiscard]] bool is_of_this_kernel(const Claimant& claimant);

}  // namespace cairn::consensus
