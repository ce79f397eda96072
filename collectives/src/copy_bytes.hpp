/// A memcpy whose speed does not depend on where the arrays lie.
#pragma once

#include <cstddef>

namespace cairn::detail {

/// Copies `bytes` bytes, n ≥ 0, between arrays that do not overlap.
///
/// From some 2 KiB on glibc copies with `rep movsb` where the processor recommends it. On Zen 3
/// that runs at 2 GB/s instead of 35 when the target lies a few bytes behind the source modulo
/// 4096; and a large array from malloc begins 16 bytes behind a page, where shared memory begins at
/// one.
void copy_bytes(std::byte* to, const std::byte* from, std::size_t bytes) noexcept;

}  // namespace cairn::detail
