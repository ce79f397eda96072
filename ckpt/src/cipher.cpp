#include "cipher.hpp"

#include <sodium.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "cairn/core/error.hpp"
#include "cairn/core/file.hpp"
#include "record.hpp"

namespace cairn::ckpt {

namespace {

using Bytes32 = std::array<unsigned char, 32>;

const unsigned char* raw(const void* data) { return static_cast<const unsigned char*>(data); }

/// BLAKE2b-256, keyed, of anything in pieces.
class KeyedHash {
 public:
  explicit KeyedHash(std::span<const unsigned char, 32> key) {
    ::crypto_generichash_init(&state_, key.data(), key.size(), 32);
  }
  void add(const void* data, std::size_t size) {
    ::crypto_generichash_update(&state_, raw(data), size);
  }
  void add(std::uint64_t number) { add(&number, sizeof number); }  // little-endian, as all is
  [[nodiscard]] Bytes32 result() {
    Bytes32 hash{};
    ::crypto_generichash_final(&state_, hash.data(), hash.size());
    return hash;
  }

 private:
  crypto_generichash_state state_{};
};

std::string hex_of(const Bytes32& bytes) {
  std::array<char, 65> hex{};
  ::sodium_bin2hex(hex.data(), hex.size(), bytes.data(), bytes.size());
  return hex.data();
}

/// No two places have one text: numbers have eight bytes, and texts their length before them.
std::string associated_data(const Place& place) {
  std::string text = "cairn piece ";
  const auto add = [&](std::uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) text += static_cast<char>(number >> shift & 255);
  };
  const auto add_text = [&](std::string_view part) {
    add(part.size());
    text += part;
  };
  add_text(place.job);
  add(place.epoch);
  add_text(place.name);
  add_text(name_of(place.type));
  add(place.piece);
  if (place.box == nullptr) return text;
  add(place.box->offset.size());
  for (const auto each : place.box->offset) add(each);
  for (const auto each : place.box->count) add(each);
  return text;
}

/// Pieces differ in the first eight bytes, values in the second eight, where pieces have nothing.
std::array<unsigned char, 24> nonce_of(const std::array<unsigned char, 24>& base,
                                       const Place& place) {
  auto nonce = base;
  const auto number = place.box == nullptr ? place.piece + 1 : place.offset_bytes;
  const std::size_t first = place.box == nullptr ? 8 : 0;
  for (std::size_t i = 0; i < 8; ++i) {
    nonce[first + i] ^= static_cast<unsigned char>(number >> 8 * i & 255);
  }
  return nonce;
}

}  // namespace

SealRecord new_seal(const Key& key) {
  SealRecord seal;
  seal.key_id = key.id();
  ::randombytes_buf(seal.salt.data(), seal.salt.size());
  ::randombytes_buf(seal.nonce.data(), seal.nonce.size());
  return seal;
}

EpochCipher::EpochCipher(const Key& key, const SealRecord& seal, std::string job,
                         std::uint64_t epoch)
    : job_(std::move(job)), epoch_(epoch), nonce_(seal.nonce) {
  KeyedHash hash(key.bytes());
  constexpr std::string_view purpose = "cairn checkpoint epoch key";
  hash.add(purpose.data(), purpose.size());
  hash.add(seal.salt.data(), seal.salt.size());
  auto epoch_key = hash.result();
  ::sodium_mlock(data_key_.data(), data_key_.size());
  ::sodium_mlock(mac_key_.data(), mac_key_.size());
  ::crypto_kdf_derive_from_key(data_key_.data(), data_key_.size(), 1, "cairnckp", epoch_key.data());
  ::crypto_kdf_derive_from_key(mac_key_.data(), mac_key_.size(), 2, "cairnckp", epoch_key.data());
  ::sodium_memzero(epoch_key.data(), epoch_key.size());
}

EpochCipher::~EpochCipher() {
  ::sodium_memzero(data_key_.data(), data_key_.size());
  ::sodium_memzero(mac_key_.data(), mac_key_.size());
  ::sodium_munlock(data_key_.data(), data_key_.size());
  ::sodium_munlock(mac_key_.data(), mac_key_.size());
}

Tag EpochCipher::seal(std::span<std::byte> bytes, Place place) const {
  place.job = job_;
  place.epoch = epoch_;
  const auto about = associated_data(place);
  const auto nonce = nonce_of(nonce_, place);
  auto* data = reinterpret_cast<unsigned char*>(bytes.data());
  Tag tag{};
  ::crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
      data, tag.data(), nullptr, data, bytes.size(), raw(about.data()), about.size(), nullptr,
      nonce.data(), data_key_.data());
  return tag;
}

bool EpochCipher::open(std::span<std::byte> bytes, const Tag& tag, Place place) const {
  place.job = job_;
  place.epoch = epoch_;
  const auto about = associated_data(place);
  const auto nonce = nonce_of(nonce_, place);
  auto* data = reinterpret_cast<unsigned char*>(bytes.data());
  return ::crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
             data, nullptr, data, bytes.size(), tag.data(), raw(about.data()), about.size(),
             nonce.data(), data_key_.data()) == 0;
}

std::string EpochCipher::mac(std::string_view text) const {
  KeyedHash hash(mac_key_);
  hash.add(0);  // the record, not the structure
  hash.add(text.data(), text.size());
  return hex_of(hash.result());
}

std::string EpochCipher::structure_mac(const File& file, const EpochRecord& record) const {
  KeyedHash hash(mac_key_);
  hash.add(1);
  std::vector<std::byte> buffer(piece_bytes);
  for (const auto& range : record.structure) {
    hash.add(range.offset_bytes);
    hash.add(range.length_bytes);
    for (std::uint64_t done = 0; done < range.length_bytes;) {
      const auto bytes = std::span(buffer).first(
          std::min<std::uint64_t>(buffer.size(), range.length_bytes - done));
      file.read_at(bytes, range.offset_bytes + done);
      hash.add(bytes.data(), bytes.size());
      done += bytes.size();
    }
  }
  return hex_of(hash.result());
}

void seal_values(EpochRecord& record, std::shared_ptr<const EpochCipher> cipher) {
  for (std::size_t v = 0; v < record.values.size(); ++v) {
    auto& value = record.values[v];
    value.tag = cipher->seal(value.bytes, {.name = value.name, .type = value.type, .piece = v});
  }
  record.cipher = std::move(cipher);
}

void unlock(EpochRecord& record, std::string_view text, const Key* key) {
  if (!record.seal) {
    if (key == nullptr) return;
    throw Error(Errc::permission,
                "it is not encrypted, and a key was given: anybody could have written it");
  }
  if (key == nullptr) {
    throw Error(Errc::permission, "it is encrypted with key " + record.seal->key_id +
                                      ", and no key was given (a key file, or CAIRN_CKPT_KEY)");
  }
  if (record.seal->key_id != key->id()) {
    throw Error(Errc::permission, "it is encrypted with key " + record.seal->key_id +
                                      ", and the key given is " + key->id());
  }
  auto cipher = std::make_shared<EpochCipher>(*key, *record.seal, record.job, record.epoch);
  const auto sealed = sealed_text(text);
  const auto mac = cipher->mac(sealed.body);
  if (mac.size() != sealed.mac.size() ||
      ::sodium_memcmp(mac.data(), sealed.mac.data(), mac.size()) != 0) {
    throw Error(Errc::bad_data, "its record has been tampered with: the MAC does not fit");
  }
  for (std::size_t v = 0; v < record.values.size(); ++v) {
    auto& value = record.values[v];
    if (!cipher->open(value.bytes, value.tag,
                      {.name = value.name, .type = value.type, .piece = v})) {
      throw Error(Errc::bad_data, "its value '" + value.name + "' has been tampered with");
    }
  }
  for (auto& field : record.fields) field.cipher = cipher;
  record.cipher = std::move(cipher);
}

}  // namespace cairn::ckpt
