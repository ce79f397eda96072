/// How the bytes of a field stand in the data file: as they are, or through standard HDF5 filters.
#pragma once

#include <cstdint>
#include <string_view>

namespace cairn::ckpt {

/// Each but `none` is HDF5's shuffle (filter 2) and then a codec, so that readers with that filter
/// see the array as it is. Lossless.
enum class Compression : std::uint8_t {
  none,
  /// Zstandard (filter 32015), the best of the fast ones. Readers need a plugin, such as the one
  /// that is installed with Cairn (share it through HDF5_PLUGIN_PATH).
  shuffle_zstd,
  /// LZ4 (filter 32004); a plugin comes with Debian's hdf5-filter-plugin.
  shuffle_lz4,
  /// Deflate (filter 1), which every HDF5 has; several times slower than the others.
  shuffle_deflate,
};

/// "none", "zstd", "lz4", "deflate".
[[nodiscard]] std::string_view name_of(Compression compression) noexcept;

/// The compression of a command line: one of these words. Local.
/// @throws Error{Errc::usage} for other words; marked as agreed, since all ranks have one command
/// line
[[nodiscard]] Compression compression_of(std::string_view word);

}  // namespace cairn::ckpt
