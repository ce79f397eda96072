/// HDF5's shuffle: the first bytes of all elements, then their second bytes, and so on. Numbers
/// that are alike have equal leading bytes, which lie together then.
#pragma once

#include <cstddef>
#include <span>

namespace cairn::ckpt {

/// Shuffles `from` into `to`, of the same size, a whole number of elements; they do not overlap.
///
///     a0 a1 b0 b1 c0 c1   →   a0 b0 c0 a1 b1 c1
///
/// @par Cost  vectorised for elements of 4, 8 and 16 bytes, about the time of a memcpy
void shuffle(std::span<const std::byte> from, std::size_t element_bytes, std::span<std::byte> to);

/// The inverse.
void unshuffle(std::span<const std::byte> from, std::size_t element_bytes, std::span<std::byte> to);

}  // namespace cairn::ckpt
