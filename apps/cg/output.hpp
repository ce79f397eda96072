/// The solution as a file, and the right-hand side from one.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "cairn/ckpt/block.hpp"
#include "cairn/collectives/communicator.hpp"
#include "row_partition.hpp"

namespace cairn::cg {

/// This rank's part of a vector over the rows, as ckpt wants to know it.
[[nodiscard]] ckpt::Block block_of(const RowPartition& partition, int rank);

/// Refuses an --output that is neither .h5 nor .mtx. Local.
/// @throws Error{Errc::usage}, which is the same on all ranks and marked so
void check_format(const std::filesystem::path& file);

/// Writes the vector of which this rank has `part`: FILE.h5 as the HDF5 dataset /x, FILE.mtx as a
/// Matrix Market array, whose decimal numbers give the same doubles when they are read again.
///
/// Collective, blocking; streams through rank 0 (.mtx). The file appears complete or not at all.
/// @throws Error{Errc::no_input, permission, input_output} on all ranks
void write_vector(const Communicator& comm, const RowPartition& partition,
                  std::span<const double> part, const std::filesystem::path& file);

/// This rank's part of the vector in a Matrix Market array file. Collective, blocking; every rank
/// reads the file.
/// @throws Error, agreed, as ArrayReader
[[nodiscard]] std::vector<double> read_vector(const Communicator& comm,
                                              const RowPartition& partition,
                                              const std::filesystem::path& file);

}  // namespace cairn::cg
