/// The bytes of a slot: sectors of 512 bytes, each sealed by itself. FORMAT.md describes them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cairn/consensus/slot_file.hpp"

namespace cairn::consensus {

inline constexpr std::size_t sector_bytes = 512;
inline constexpr std::size_t sector_head_bytes = 80;
inline constexpr std::size_t sector_payload_bytes = sector_bytes - sector_head_bytes;

using SlotDigest = std::array<std::byte, 16>;

/// What every sector of a slot repeats, and its own number.
struct SectorHead {
  std::uint64_t sequence = 0;
  SlotDigest record{};  ///< digest of the record: parent, sequence, payload
  SlotDigest parent{};  ///< of the record before
  SlotIdentity identity{};
  std::uint16_t slot = 0;
  std::uint16_t slots = 0;
  std::uint16_t sector = 0;
  std::uint16_t sectors = 0;
  std::uint64_t payload_bytes = 0;  ///< of the record

  bool operator==(const SectorHead&) const = default;
};

/// A record as it stands in its slot.
struct SlotRecord {
  SectorHead head;  ///< that of sector 0
  std::vector<std::byte> payload;
};

[[nodiscard]] SlotDigest digest_of_record(const SlotDigest& parent, std::uint64_t sequence,
                                          std::span<const std::byte> payload);

/// The bytes of a slot with this record. `head.record` and `head.sector` are filled in.
[[nodiscard]] std::vector<std::byte> slot_bytes(SectorHead head,
                                                std::span<const std::byte> payload);

/// The head of a sector whose seal fits; nothing for any other bytes.
[[nodiscard]] std::optional<SectorHead> sealed_head(std::span<const std::byte> sector);

/// The record of a slot; nothing unless every sector belongs to it and its digest fits.
[[nodiscard]] std::optional<SlotRecord> slot_record(std::span<const std::byte> slot);

}  // namespace cairn::consensus
