/// Who speaks to whom.
#pragma once

#include <cstdint>

namespace cairn::transport {

/// A node that takes part: 0 … n-1. A node is a failure domain, not a rank: the ranks of a node
/// have one speaker.
using NodeIndex = std::int32_t;

/// A message with its addresses. `Message` is a regular, trivially copyable type of a protocol.
/// `from == to` is allowed: a node's roles speak to each other as to strangers.
template <typename Message>
struct Envelope {
  NodeIndex from = 0;
  NodeIndex to = 0;
  Message message{};

  friend bool operator==(const Envelope&, const Envelope&) = default;
};

}  // namespace cairn::transport
