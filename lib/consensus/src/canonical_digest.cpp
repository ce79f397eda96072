#include "canonical_digest.hpp"

#include <xxhash.h>

#include <cstring>

namespace cairn::consensus {

std::array<std::byte, 16> canonical_digest(std::span<const std::byte> bytes) noexcept {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  std::array<std::byte, 16> digest;
  std::memcpy(digest.data(), canonical.digest, digest.size());
  return digest;
}

}  // namespace cairn::consensus
