/// The lock of a checkpoint directory, by which two launches see each other early where locks
/// reach.
#pragma once

#include <filesystem>
#include <optional>

#include "cairn/core/file.hpp"

namespace cairn::ckpt {

/// Takes the directory's lock, giving a launch that is just dying some time to let go. It is there
/// to tell early, and for programs without incarnations; the claim decides.
/// @return nothing where CAIRN_CKPT_LOCK=off asks for none; a file without a lock where the file
/// system has none
/// @throws Error{Errc::unavailable} when another launch keeps it, {permission, …} when it cannot be
/// made
[[nodiscard]] std::optional<File> lock_directory(const std::filesystem::path& directory,
                                                 double patience_seconds);

}  // namespace cairn::ckpt
