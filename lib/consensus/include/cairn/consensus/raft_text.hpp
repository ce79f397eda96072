/// Raft's messages and states in words, for stories and traces.
#pragma once

#include <string>

#include "cairn/consensus/raft.hpp"

namespace cairn::consensus {

/// "{0,2}"
[[nodiscard]] std::string describe(RaftNodes nodes);
/// Its term, and what it holds: "3:-", "3:17", "3:{0,1,3}<-{0,1,2}" in a change.
[[nodiscard]] std::string describe(const RaftEntry& entry);
[[nodiscard]] std::string describe(const RaftMessage& message);
[[nodiscard]] std::string describe(const RaftEvent& event);
[[nodiscard]] std::string describe(const RaftRequest& request);
[[nodiscard]] std::string describe(const RaftDurable& durable);
/// "leader term 3 commit 7 log ...5 2:- 3:17"
[[nodiscard]] std::string describe(const Raft& machine);

}  // namespace cairn::consensus
