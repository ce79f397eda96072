// The hash that grows the tree, in kernels for what the CPU can do.
//
// A child is the SHA-1 digest of 24 bytes: the state of its parent and its index, big-endian. That
// is one block of SHA-1, whose words 6 to 15 never change.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "node.hpp"

namespace cairn::uts {

/// Child `index` of `parents[parent]`.
struct Child {
  std::uint32_t parent;
  std::uint32_t index;
};

/// A way to compute the same digests.
struct Kernel {
  std::string_view name;

  /// children[i] becomes the child wanted[i]. Local, no allocation. The more are wanted at once,
  /// the faster: siblings and cousins are hashed side by side.
  ///
  /// @param parents   the nodes that wanted[].parent counts
  /// @param wanted    which children
  /// @param children  room for wanted.size() nodes, which do not overlap `parents`
  void (*spawn)(std::span<const Node> parents, std::span<const Child> wanted, Node* children);
};

/// Those that this CPU has, the slowest first: "portable", then "sha_ni" (SHA extensions, 4 lanes),
/// then "avx512" (16 lanes); before them "reference" in builds with CAIRN_UTS_REFERENCE.
[[nodiscard]] const std::vector<Kernel>& kernels();

/// The kernel of that name; "auto" is the fastest one here.
/// @throws Error{Errc::usage} with the names that would do
[[nodiscard]] const Kernel& kernel(std::string_view name = "auto");

/// Children first, first + 1, … of one node.
void spawn(const Kernel& kernel, const Node& parent, std::uint32_t first, std::span<Node> children);

/// The digest of 16 zero bytes and the seed, big-endian: the root.
[[nodiscard]] Node root_of(std::uint32_t seed);

}  // namespace cairn::uts
