// The kernels behind sha1.hpp, one source file each. They may be called where the CPU has what they
// want.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "sha1.hpp"

namespace cairn::uts {

/// SHA-1 starts from these. Source: FIPS 180-4, 5.3.1.
inline constexpr std::array<std::uint32_t, 5> sha1_start{0x67452301U, 0xefcdab89U, 0x98badcfeU,
                                                         0x10325476U, 0xc3d2e1f0U};
/// What each 20 rounds add. Source: FIPS 180-4, 4.2.1.
inline constexpr std::array<std::uint32_t, 4> sha1_constants{0x5a827999U, 0x6ed9eba1U, 0x8f1bbcdcU,
                                                             0xca62c1d6U};
/// The word behind a message, and the last word of the block: the length of the message in bits.
inline constexpr std::uint32_t sha1_end_mark = 0x80000000U;
inline constexpr std::uint32_t message_bits = 24 * 8;

void spawn_portable(std::span<const Node> parents, std::span<const Child> wanted, Node* children);

#if defined(CAIRN_UTS_HAS_REFERENCE)
void spawn_reference(std::span<const Node> parents, std::span<const Child> wanted, Node* children);
#endif

#if defined(__x86_64__)
[[nodiscard]] bool has_sha_ni();
void spawn_sha_ni(std::span<const Node> parents, std::span<const Child> wanted, Node* children);

[[nodiscard]] bool has_avx512();
void spawn_avx512(std::span<const Node> parents, std::span<const Child> wanted, Node* children);
#endif

}  // namespace cairn::uts
