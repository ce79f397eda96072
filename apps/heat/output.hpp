/// The field as HDF5 with a description that ParaView reads.
#pragma once

#include <cstdint>
#include <filesystem>

#include "field.hpp"

namespace cairn::heat {

/// Writes the dataset /u, shape [n, n], with the attributes `time`, `step` and `units`, and beside
/// the file its XDMF 3 description (a uniform grid), which ParaView opens as "XDMF Reader" or
/// "Xdmf3 Reader S".
///
/// Collective, blocking. Each of the two files appears complete or not at all.
/// @throws Error{Errc::no_input, permission, input_output} on all ranks
void write_output(const Field& field, std::uint64_t step, double time,
                  const std::filesystem::path& file);

}  // namespace cairn::heat
