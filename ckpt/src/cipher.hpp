/// What encrypts and authenticates the bytes of one epoch. FORMAT.md, "Encrypted epochs".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cairn/ckpt/box.hpp"
#include "cairn/ckpt/key.hpp"
#include "cairn/ckpt/scalar_type.hpp"

namespace cairn {
class File;
}

namespace cairn::ckpt {

struct EpochRecord;

/// Poly1305's tag of a piece or of a value.
using Tag = std::array<unsigned char, 16>;

/// What the record of an encrypted epoch says about its encryption. Nothing of it is secret.
struct SealRecord {
  std::string key_id;
  std::array<unsigned char, 32> salt{};   ///< random; makes the epoch's own keys of the key
  std::array<unsigned char, 24> nonce{};  ///< random; XOR the place of a piece gives its nonce
  std::string structure_mac;              ///< of the bytes outside of all datasets
};

/// A salt and a nonce that nobody has used before, under this key.
[[nodiscard]] SealRecord new_seal(const Key& key);

/// Where bytes belong: as associated data, so that they are accepted nowhere else.
struct Place {
  std::string_view job = {};
  std::uint64_t epoch = 0;
  std::string_view name = {};  ///< of the field or value
  ScalarType type = ScalarType::float64;
  const Box* box = nullptr;        ///< of the part; null for a value
  std::uint64_t piece = 0;         ///< of the part, or the number of the value
  std::uint64_t offset_bytes = 0;  ///< of the piece's first element in the data file: its nonce
};

class EpochCipher {
 public:
  EpochCipher(const Key& key, const SealRecord& seal, std::string job, std::uint64_t epoch);
  EpochCipher(const EpochCipher&) = delete;
  EpochCipher& operator=(const EpochCipher&) = delete;
  ~EpochCipher();

  [[nodiscard]] const std::string& job() const noexcept { return job_; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }

  /// Encrypts in place. A place takes only one message; job and epoch are the cipher's.
  [[nodiscard]] Tag seal(std::span<std::byte> bytes, Place place) const;
  /// Decrypts in place; false, and nothing of use in `bytes`, when they are not what was sealed at
  /// this place.
  [[nodiscard]] bool open(std::span<std::byte> bytes, const Tag& tag, Place place) const;

  /// Keyed BLAKE2b-256 of the text of a record: 64 hexadecimal digits.
  [[nodiscard]] std::string mac(std::string_view text) const;
  /// The same over the bytes of the file that belong to no field, and where they lie.
  [[nodiscard]] std::string structure_mac(const File& file, const EpochRecord& record) const;

 private:
  std::string job_;
  std::uint64_t epoch_;
  std::array<unsigned char, 24> nonce_;
  std::array<unsigned char, 32> data_key_{};
  std::array<unsigned char, 32> mac_key_{};
};

/// Encrypts a piece in place: its number, where it goes in the file, its bytes.
using PieceSealer =
    std::function<Tag(std::uint64_t piece, std::uint64_t offset_bytes, std::span<std::byte> bytes)>;

/// Checks the MAC of a sealed record against its text, decrypts its values and makes its fields
/// readable. A plain record stays as it is, where there is no key.
/// @throws Error{Errc::permission} when it is sealed with another key, or with one and there is
/// none here, or with none and there is one; {bad_data} when it is not what was written
void unlock(EpochRecord& record, std::string_view text, const Key* key);

/// Encrypts the values; the record is to be written with `cipher` then.
void seal_values(EpochRecord& record, std::shared_ptr<const EpochCipher> cipher);

}  // namespace cairn::ckpt
