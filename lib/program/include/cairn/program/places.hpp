/// Output files are better refused before the work than after it.
#pragma once

#include <filesystem>
#include <initializer_list>

#include "cairn/collectives/communicator.hpp"

namespace cairn::program {

/// Whether `files` can be written: rank 0 looks at their folders, and makes nothing. Empty paths
/// are outputs that nobody wants. Collective, blocking.
/// @throws Error, agreed: no_input or permission for a folder, usage when a file is a folder
void check_places(const Communicator& comm, std::initializer_list<std::filesystem::path> files);

}  // namespace cairn::program
