/// Which files a job reads: rank 0 looks, all ranks get the same list.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "cairn/collectives/communicator.hpp"

namespace cairn::mapreduce {

/// A regular file as it was when it was listed.
struct InputFile {
  std::string path;
  std::uint64_t bytes = 0;  ///< its size then, on disk; what is appended later is not read
};

/// What to do with files that are no plain text.
struct InputOptions {
  /// gzip files: read as the text they contain, or counted as skipped.
  enum class Compressed { include, skip } compressed = Compressed::include;
};

/// What a list of inputs consists of. Equal on every rank, in the same order.
struct InputList {
  std::vector<InputFile> plain;                  ///< split over the ranks by bytes
  std::vector<InputFile> gzip;                   ///< dealt to the ranks as whole files
  std::map<std::string, std::uint64_t> skipped;  ///< what was not read: "xz", "fifo" …, how many
  std::uint64_t symlinks = 0;                    ///< found inside folders, not followed

  [[nodiscard]] std::uint64_t plain_bytes() const;
  [[nodiscard]] std::uint64_t gzip_bytes() const;  ///< on disk, that is compressed
  [[nodiscard]] std::uint64_t skipped_files() const;
};

/// Lists the regular files that `inputs` (files and folders) stand for.
///
/// Collective, blocking. Folders are walked to the end, each sorted by path (as bytes), so that the
/// order is the same everywhere; the order of `inputs` is kept, and an input that is named twice
/// counts twice. A symbolic link inside a folder is counted, not followed; an input that is one
/// itself is followed. Compressed files are known by their first bytes, not by their name: gzip is
/// listed apart, bzip2, xz and zstd are skipped. So are sockets, pipes and devices inside folders,
/// and files that say they are empty and are not ("unsized", as in /proc).
///
/// Rank 0 opens every file once, so that what is missing or forbidden shows before the work begins.
///
/// @throws Error, agreed: no_input for an input that does not exist, for one that is neither file
///         nor folder, and when nothing at all is left to read; permission for what may not be
///         read; each names the path
/// @par Cost  on rank 0 an open, a stat and a read per file; one broadcast of the list
[[nodiscard]] InputList list_inputs(const Communicator& comm, std::span<const std::string> inputs,
                                    const InputOptions& options = {});

}  // namespace cairn::mapreduce
