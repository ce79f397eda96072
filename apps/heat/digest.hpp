/// A digest of the whole field.
#pragma once

#include <string>

#include "field.hpp"

namespace cairn::heat {

/// XXH3-128 of the field's bytes in global row-major order (little-endian doubles, no boundary), as
/// `xxhsum -H2` prints it for a file of these bytes: 32 hexadecimal digits. Equal on all ranks.
/// Collective, blocking; streams through rank 0.
[[nodiscard]] std::string digest(const Field& field);

}  // namespace cairn::heat
