/// The checksum of pieces and of structure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cairn/core/file.hpp"

namespace cairn::ckpt {

/// CRC-32C (Castagnoli) of `bytes`, continued from `crc`.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc = 0);

/// The CRC-32C of a range of the file. Memory: one piece. @throws Error{bad_data} when the file
/// ends before
[[nodiscard]] std::uint32_t crc32c_of(const File& file, std::uint64_t offset_bytes,
                                      std::uint64_t length_bytes);

}  // namespace cairn::ckpt
