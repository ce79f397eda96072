#include "crc.hpp"

#include <isa-l/crc.h>

#include <algorithm>
#include <vector>

#include "record.hpp"

namespace cairn::ckpt {

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc) {
  // ISA-L takes a non-const pointer and an int length. Its function is the bare register update, so
  // the usual inversions before and after are ours: the result is the CRC-32C of iSCSI, RFC 3720.
  crc = ~crc;
  while (!bytes.empty()) {
    const auto length = std::min<std::size_t>(bytes.size(), std::size_t{1} << 30);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-*)
    auto* data = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data()));
    crc = crc32_iscsi(data, static_cast<int>(length), crc);
    bytes = bytes.subspan(length);
  }
  return ~crc;
}

std::uint32_t crc32c_of(const File& file, std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  std::vector<std::byte> buffer(std::min<std::uint64_t>(piece_bytes, length_bytes));
  std::uint32_t crc = 0;
  while (length_bytes > 0) {
    const auto bytes =
        std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), length_bytes));
    file.read_at(bytes, offset_bytes);
    crc = crc32c(bytes, crc);
    offset_bytes += bytes.size();
    length_bytes -= bytes.size();
  }
  return crc;
}

}  // namespace cairn::ckpt
