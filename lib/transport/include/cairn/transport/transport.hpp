/// What a protocol may expect of the thing that carries its messages: little.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>

#include "cairn/transport/envelope.hpp"

namespace cairn::transport {

/// One node's end of a network. Local, never blocks, never throws.
///
/// `offer` takes a message that may be dropped, duplicated, delayed or overtaken, but not altered.
/// `poll` fills the front of its argument with messages that have come and returns their number.
/// Nothing is said about the order. A protocol that stands on this alone runs on all transports.
template <typename T, typename Message>
concept Transport = requires(T transport, const Envelope<Message>& envelope,
                             std::span<Envelope<Message>> room) {
  { transport.offer(envelope) }
  noexcept;
  { transport.poll(room) }
  noexcept->std::same_as<std::size_t>;
};

}  // namespace cairn::transport
