/// The blocks of all ranks into the data file through MPI-IO, collectively.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "transfer.hpp"

namespace cairn::ckpt {

/// Writes each rank's blocks, the datasets beginning at `offsets_bytes`, and makes them durable.
/// Returns this rank's digests as write_block(). Collective: one MPI_File_write_at_all per piece of
/// the rank that has most.
///
/// Every rank takes part in every call, whatever fails on it, and throws at the end what it has
/// seen. What MPI itself does after a failure of one rank inside a call is MPI's.
/// @param sealers  per block; may be empty functions
/// @throws Error{Errc::mpi_failure, input_output, …}, not agreed; {usage} for an extent of 2^31 or
/// more, for which MPI has no data type
[[nodiscard]] std::vector<std::uint32_t> write_with_mpi_io(
    const Communicator& comm, const std::string& path, const std::vector<BlockInMemory>& blocks,
    const std::vector<std::uint64_t>& offsets_bytes, const std::vector<PieceSealer>& sealers,
    const std::function<void()>& before_piece);

}  // namespace cairn::ckpt
