/// Files and directories that are their owner's alone, and that no other user can put a link or a
/// pipe in the place of.
#pragma once

#include <filesystem>
#include <string>

#include "cairn/core/file.hpp"

namespace cairn {

/// Modes of what is made: the owner's alone, however wide the umask is.
constexpr unsigned private_file = 0600;
constexpr unsigned private_directory = 0700;

/// Opens a directory in which nobody but the effective user can put files. Those above it are not
/// looked at. A link to it must be that user's or root's. Local.
/// @throws Error{Errc::permission} for one that belongs to another user, or that the group or
///         others can write to; no_input, input_output
[[nodiscard]] File open_private_directory(const std::filesystem::path& path);

/// make_directory() with the mode 0700; one that was there has to be private already. Local.
/// @throws what make_directory() and open_private_directory() do
void make_private_directory(const std::filesystem::path& path);

/// Opens a regular file that is there, and never waits: a link at the end of its path is not
/// followed, a pipe not opened. Local.
/// @param flags  of open(2)
/// @throws Error{Errc::bad_data} for what is no regular file; what opening throws
[[nodiscard]] File open_regular_file(const std::filesystem::path& path, int flags);

/// read_file() of what open_regular_file() opens. Local.
[[nodiscard]] std::string read_regular_file(const std::filesystem::path& path);

}  // namespace cairn
