/// XXH3-128 as bytes that are the same on every machine.
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace cairn::consensus {

/// Of all bytes, high half first, as XXH128_canonicalFromHash writes it.
[[nodiscard]] std::array<std::byte, 16> canonical_digest(std::span<const std::byte> bytes) noexcept;

}  // namespace cairn::consensus
