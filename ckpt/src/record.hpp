/// The epoch record: what makes a data file an epoch. FORMAT.md describes its bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/ckpt/compression.hpp"
#include "cairn/ckpt/scalar_type.hpp"
#include "cipher.hpp"
#include "geometry.hpp"

namespace cairn::ckpt {

/// The digest of a field is taken piece by piece: this many bytes of a part in box order, the last
/// one shorter.
inline constexpr std::size_t piece_bytes = std::size_t{1} << 20;

/// Pieces of a part of `elements` elements. (All element sizes divide piece_bytes.)
[[nodiscard]] constexpr std::size_t piece_count(std::size_t elements, std::size_t element_bytes) {
  return (elements * element_bytes + piece_bytes - 1) / piece_bytes;
}

/// What one rank wrote of a field.
struct PartRecord {
  Box box;
  std::vector<std::uint32_t> piece_crcs = {};
  std::vector<Tag> piece_tags = {};  ///< of an encrypted epoch, else empty
};

/// One chunk of a compressed field, as it stands in the data file.
struct ChunkRecord {
  std::uint64_t offset_bytes = 0;
  std::uint32_t length_bytes = 0;  ///< that of its elements if it is not filtered
  std::uint32_t crc = 0;
};

/// How a compressed field is stored: each element is in one chunk.
struct ChunksRecord {
  Compression compression = Compression::none;
  Shape chunk;
  std::vector<ChunkRecord> chunks = {};
  std::vector<Tag> tags = {};  ///< of an encrypted epoch, else empty
};

struct FieldRecord {
  std::string name;
  ScalarType type = ScalarType::float64;
  Shape global;
  std::uint64_t offset_bytes = 0;           ///< of the dataset's first element in the data file
  std::vector<PartRecord> parts;            ///< they tile the global array
  std::optional<ChunksRecord> chunks = {};  ///< of a compressed field, whose parts have no digests
  /// Not in the file: set by unlock(), and what reads the field decrypts with it.
  std::shared_ptr<const EpochCipher> cipher = {};
};

struct ValueRecord {
  std::string name;
  ScalarType type = ScalarType::float64;
  std::vector<std::byte> bytes;  ///< encrypted ones until unlock()
  Tag tag = {};
};

/// Bytes of the data file that belong to no field: HDF5's own structure.
struct StructureRecord {
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
  std::uint32_t crc = 0;
};

struct EpochRecord {
  std::string job;       ///< random, the same for all epochs that descend from one first launch
  std::string program;   ///< who wrote it
  std::string identity;  ///< run parameters that a restart must share
  std::uint64_t epoch = 0;
  std::uint64_t step = 0;
  std::uint64_t incarnation = 0;  ///< that published it; 0: a program without incarnations
  int launch = 0;
  int ranks = 0;
  std::optional<std::uint64_t>
      parent;             ///< the epoch that this launch was restarted from or committed before
  std::string data_file;  ///< name beside the record
  std::uint64_t data_bytes = 0;
  std::vector<StructureRecord> structure;
  std::vector<ValueRecord> values;
  std::vector<FieldRecord> fields;
  std::optional<SealRecord> seal;             ///< of an encrypted epoch
  std::shared_ptr<const EpochCipher> cipher;  ///< not in the file: its keys, once unlocked
};

/// The record as the bytes of its file, its own digest included. One with a seal needs its cipher.
[[nodiscard]] std::string record_text(const EpochRecord& record);

/// Reads what record_text() wrote, after checking its digest, and checks that sizes and boxes make
/// sense.
/// @throws Error{Errc::bad_data} that says what is wrong with it, {usage} for a later version; the
/// caller adds which
///         file it is
[[nodiscard]] EpochRecord parse_record(std::string_view text);

/// What the MAC of an encrypted epoch's record covers, and the MAC that stands there.
struct SealedText {
  std::string_view body;
  std::string_view mac;
};
/// @throws Error{Errc::bad_data} when there is no MAC where it belongs
[[nodiscard]] SealedText sealed_text(std::string_view text);

/// XXH3-128 of the text, as 32 hexadecimal digits.
[[nodiscard]] std::string digest_of(std::string_view text);

}  // namespace cairn::ckpt
