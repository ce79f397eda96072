// A node of the tree. Which children it has, and which those are, follows from these 24 bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <type_traits>

namespace cairn::uts {

/// Trivially copyable, so that it travels between ranks and into checkpoints as it is.
struct Node {
  std::array<std::uint32_t, 5> state;  ///< a SHA-1 digest as its five words
  std::int32_t depth;                  ///< of the root: 0

  /// The random number of the node, 31 bits.
  [[nodiscard]] std::uint32_t value() const noexcept { return state[4] & 0x7fffffffU; }

  friend bool operator==(const Node&, const Node&) = default;
};
/// How the pool names a node that has failed.
[[nodiscard]] std::string describe(const Node& node);

static_assert(sizeof(Node) == 24 && std::is_trivially_copyable_v<Node>);

}  // namespace cairn::uts
