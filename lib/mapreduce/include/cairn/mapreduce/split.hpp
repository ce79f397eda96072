/// Who reads which bytes: plain files by equal parts of their concatenation, others whole.
///
///     files   | a.txt        | b |  (empty)  | c.txt                      |
///     bytes   0                                                           B
///     ranks   |  0            |  1            |  2            |  3        |
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cairn/mapreduce/input.hpp"

namespace cairn::mapreduce {

/// Bytes [first, last).
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

/// Part `part` of `parts` (> 0) equal parts of [0, total): sizes differ by at most one byte. Local.
[[nodiscard]] ByteRange equal_part(std::uint64_t total, int part, int parts);

/// Bytes of one file.
struct FilePart {
  std::size_t file = 0;  ///< index into the list of files
  ByteRange bytes;       ///< offsets in that file, never empty
};

/// The files, and their bytes, that `range` of the concatenation of `files` covers, in order.
/// Local.
[[nodiscard]] std::vector<FilePart> file_parts(std::span<const InputFile> files, ByteRange range);

/// Deals whole files to ranks so that the bytes are about equal: the largest first, each to the
/// rank that has the fewest so far. Local; a function of its arguments.
///
/// @return for each rank the indices of its files
/// @par Source  longest processing time first: R. L. Graham, Bounds on multiprocessing timing
/// anomalies, SIAM J. Appl. Math. 17 (1969), doi:10.1137/0117039
[[nodiscard]] std::vector<std::vector<std::size_t>> deal_files(std::span<const InputFile> files,
                                                               int ranks);

}  // namespace cairn::mapreduce
