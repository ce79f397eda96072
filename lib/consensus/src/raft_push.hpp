/// How Raft fills the bounded lists of its output.
#pragma once

#include <cstddef>

#include "cairn/transport/bounded.hpp"

namespace cairn::consensus {

/// A message that finds no room is as lost as what a network loses. Events of final entries wait
/// for room before they are pushed.
template <typename T, std::size_t capacity>
void push_to(transport::Bounded<T, capacity>& list, const T& value) noexcept {
  if (!list.full()) list.push_back(value);
}

}  // namespace cairn::consensus
