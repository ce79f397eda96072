/// Compresses and unpacks one chunk, in the bytes of HDF5's registered filters. FORMAT.md,
/// "Compressed fields".
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "cairn/ckpt/compression.hpp"

namespace cairn::ckpt {

/// The numbers of the filters in the HDF Group's registry.
struct Filter {
  int id = 0;
  std::vector<unsigned> parameters = {};
};

/// The codec's filter behind the shuffle; not for Compression::none.
[[nodiscard]] Filter filter_of(Compression compression, std::size_t chunk_bytes);

/// One for many chunks; keeps its memory. All functions are local.
class Codec {
 public:
  /// @param element_bytes  what the shuffle goes by
  Codec(Compression compression, std::size_t element_bytes);
  Codec(Codec&&) noexcept;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  Codec& operator=(Codec&&) = delete;
  ~Codec();

  /// The chunk as it is to stand in the file, until the next call: filtered, and shorter than
  /// `raw`, or `raw` itself when that is no gain. The same bytes for the same input.
  [[nodiscard]] std::span<const std::byte> pack(std::span<const std::byte> raw);

  /// The inverse: fills `raw`, whose size is that of the chunk. False when the bytes are not what
  /// unpacks to exactly that; never writes elsewhere, nor takes memory by what they say.
  [[nodiscard]] bool unpack(std::span<const std::byte> stored, std::span<std::byte> raw);

 private:
  struct Contexts;
  std::size_t element_bytes_;
  Compression compression_;
  std::vector<std::byte> shuffled_;
  std::vector<std::byte> packed_;
  std::unique_ptr<Contexts> contexts_;
};

}  // namespace cairn::ckpt
