/// The claims that this process holds: the one thing about a claim of its own process number that
/// the directory cannot tell (it may be a copy, or its Fence may be gone).
#pragma once

#include <string>

namespace cairn::consensus {

void hold_here(const std::string& nonce);
void let_go_here(const std::string& nonce) noexcept;
[[nodiscard]] bool is_held_here(const std::string& nonce);

}  // namespace cairn::consensus
