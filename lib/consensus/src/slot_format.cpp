#include "slot_format.hpp"

#include <xxhash.h>

#include <algorithm>

#include "canonical_digest.hpp"

namespace cairn::consensus {

namespace {

/// Another format has another seed, so that none of its sectors is taken for one of this.
constexpr std::uint64_t seal_seed = 0x6361'6972'6e73'6c31;  // "cairnsl1"

/// Little-endian, at a place in the sector.
template <typename Number>
void put(std::span<std::byte> sector, std::size_t at, Number number) {
  for (std::size_t i = 0; i < sizeof number; ++i)
    sector[at + i] = static_cast<std::byte>(number >> (8 * i));
}
template <typename Number>
Number get(std::span<const std::byte> sector, std::size_t at) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i)
    number |= std::to_integer<std::uint64_t>(sector[at + i]) << (8 * i);
  return static_cast<Number>(number);
}
void put_bytes(std::span<std::byte> sector, std::size_t at, const SlotDigest& bytes) {
  std::copy(bytes.begin(), bytes.end(), sector.begin() + static_cast<std::ptrdiff_t>(at));
}
SlotDigest get_bytes(std::span<const std::byte> sector, std::size_t at) {
  SlotDigest bytes;
  std::copy_n(sector.begin() + static_cast<std::ptrdiff_t>(at), bytes.size(), bytes.begin());
  return bytes;
}

std::uint64_t seal_of(std::span<const std::byte> sector) {
  return XXH3_64bits_withSeed(sector.data() + 8, sector.size() - 8, seal_seed);
}

void write_sector(std::span<std::byte> sector, const SectorHead& head,
                  std::span<const std::byte> payload) {
  put(sector, 8, head.sequence);
  put_bytes(sector, 16, head.record);
  put_bytes(sector, 32, head.parent);
  put_bytes(sector, 48, head.identity);
  put(sector, 64, head.slot);
  put(sector, 66, head.slots);
  put(sector, 68, head.sector);
  put(sector, 70, head.sectors);
  put(sector, 72, head.payload_bytes);
  std::copy(payload.begin(), payload.end(), sector.begin() + sector_head_bytes);
  put(sector, 0, seal_of(sector));
}

}  // namespace

SlotDigest digest_of_record(const SlotDigest& parent, std::uint64_t sequence,
                            std::span<const std::byte> payload) {
  std::vector<std::byte> bytes(parent.begin(), parent.end());
  std::array<std::byte, 8> number{};
  put(std::span<std::byte>(number), 0, sequence);
  bytes.insert(bytes.end(), number.begin(), number.end());
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return canonical_digest(bytes);
}

std::vector<std::byte> slot_bytes(SectorHead head, std::span<const std::byte> payload) {
  head.payload_bytes = payload.size();
  head.record = digest_of_record(head.parent, head.sequence, payload);
  std::vector<std::byte> slot(head.sectors * sector_bytes);
  for (std::uint16_t i = 0; i < head.sectors; ++i) {
    head.sector = i;
    const auto first = std::min(payload.size(), i * sector_payload_bytes);
    const auto length = std::min(payload.size() - first, sector_payload_bytes);
    write_sector(std::span(slot).subspan(i * sector_bytes, sector_bytes), head,
                 payload.subspan(first, length));
  }
  return slot;
}

std::optional<SectorHead> sealed_head(std::span<const std::byte> sector) {
  if (sector.size() != sector_bytes || get<std::uint64_t>(sector, 0) != seal_of(sector))
    return std::nullopt;
  return SectorHead{.sequence = get<std::uint64_t>(sector, 8),
                    .record = get_bytes(sector, 16),
                    .parent = get_bytes(sector, 32),
                    .identity = get_bytes(sector, 48),
                    .slot = get<std::uint16_t>(sector, 64),
                    .slots = get<std::uint16_t>(sector, 66),
                    .sector = get<std::uint16_t>(sector, 68),
                    .sectors = get<std::uint16_t>(sector, 70),
                    .payload_bytes = get<std::uint64_t>(sector, 72)};
}

std::optional<SlotRecord> slot_record(std::span<const std::byte> slot) {
  SlotRecord record;
  const auto sectors = slot.size() / sector_bytes;
  for (std::size_t i = 0; i < sectors; ++i) {
    const auto sector = slot.subspan(i * sector_bytes, sector_bytes);
    auto head = sealed_head(sector);
    if (!head || head->sector != i || head->sectors != sectors) return std::nullopt;
    head->sector = 0;
    if (i == 0) {
      record.head = *head;
      if (head->payload_bytes > sectors * sector_payload_bytes) return std::nullopt;
    } else if (*head != record.head) {
      return std::nullopt;
    }
    const auto payload = sector.subspan(sector_head_bytes);
    record.payload.insert(record.payload.end(), payload.begin(), payload.end());
  }
  if (sectors == 0) return std::nullopt;
  record.payload.resize(record.head.payload_bytes);
  const auto digest = digest_of_record(record.head.parent, record.head.sequence, record.payload);
  if (digest != record.head.record) return std::nullopt;
  return record;
}

}  // namespace cairn::consensus
