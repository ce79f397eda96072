/// Output files are better refused before the work than after it.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <vector>

#include "cairn/program/program.hpp"

namespace cairn::program {

/// Whether `outputs` can be written: rank 0 looks at their folders, and makes nothing. Empty paths
/// are files that nobody wants. Collective, blocking. A program with checkpoints calls that of its
/// CheckpointOptions.
/// @param inputs  which the program reads, beside the file of --config; only those of rank 0 matter
/// @throws Error, agreed: no_input or permission for a folder; usage when an output is a folder, or
/// the same file as another one or as an input, also through links
/// @par Cost  two stats for each input and each output that is there already
void check_places(const Context& context, std::initializer_list<std::filesystem::path> outputs,
                  std::vector<std::filesystem::path> inputs = {});

/// The same for a program without MPI. Local.
/// @throws Error as check_places()
void expect_places(std::initializer_list<std::filesystem::path> outputs,
                   const std::vector<std::filesystem::path>& inputs = {});

/// Whether `output` can be a file that is not written from front to back, such as HDF5: rank 0
/// looks. Nothing for an empty path. Collective, blocking.
/// @throws Error{usage}, agreed, when a device, a pipe or a folder is there
void check_replaceable(const Communicator& comm, const std::filesystem::path& output);

}  // namespace cairn::program
