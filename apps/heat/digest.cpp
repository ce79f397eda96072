#include "digest.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <bit>
#include <memory>

#include "cairn/collectives/collective.hpp"

namespace cairn::heat {

static_assert(std::endian::native == std::endian::little, "digests are of little-endian bytes");

std::string digest(const Field& field) {
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                       &XXH3_freeState);
  XXH3_128bits_reset(state.get());
  stream_rows(field, [&](std::size_t, std::span<const double> values) {
    XXH3_128bits_update(state.get(), values.data(), values.size_bytes());
  });
  const XXH128_hash_t hash = XXH3_128bits_digest(state.get());
  auto text = fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
  bcast(field.comm(), into(text));
  return text;
}

}  // namespace cairn::heat
