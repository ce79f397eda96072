/// Copies between private and shared memory.
#pragma once

#include <cstddef>

namespace cairn::detail {

/// Copies `bytes` bytes between arrays that do not overlap, as memcpy, but at a speed that does not
/// depend on where they lie.
///
/// From some 2 KiB on glibc copies with `rep movsb` where the processor recommends it. On Zen 3
/// that runs at 2 GB/s instead of 35 when the target lies a few bytes behind the source modulo
/// 4096; and a large array from malloc begins 16 bytes behind a page, where shared memory begins at
/// one.
void copy_bytes(std::byte* to, const std::byte* from, std::size_t bytes) noexcept;

/// The same into memory that another core has read last: its lines are fetched ahead with the right
/// to write them, where stores would wait for one after the other.
void give_bytes(std::byte* to, const std::byte* from, std::size_t bytes) noexcept;

/// The same past the caches (non-temporal stores), visible to others after the next release store.
///
/// To write lines that stand in another core's cache takes their ownership first; on a virtual
/// machine that took three to ten times as long as to write memory. Which is faster has to be
/// measured.
void stream_bytes(std::byte* to, const std::byte* from, std::size_t bytes) noexcept;

/// The same out of memory, which stream_bytes has written: from four places at once, since a core
/// fetches more at a time when it comes to several rows of lines. Where the target is in the core's
/// own cache a sixth faster, else slower.
void fetch_bytes(std::byte* to, const std::byte* from, std::size_t bytes) noexcept;

}  // namespace cairn::detail
