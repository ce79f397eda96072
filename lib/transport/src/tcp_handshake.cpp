#include "tcp_handshake.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "cairn/core/error.hpp"

namespace cairn::transport {

TcpSecret::~TcpSecret() { sodium_memzero(bytes_.data(), bytes_.size()); }

TcpSecret TcpSecret::random() {
  tcp::prepare_crypto();
  Bytes bytes;
  randombytes_buf(bytes.data(), bytes.size());
  return TcpSecret(bytes);
}

TcpSecret TcpSecret::from_text(std::string_view text) {
  if (text.size() < 16) throw Error(Errc::usage, "a secret of a job has 16 bytes or more");
  tcp::prepare_crypto();
  Bytes bytes;
  crypto_generichash(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                     reinterpret_cast<const unsigned char*>(text.data()), text.size(), nullptr, 0);
  return TcpSecret(bytes);
}

namespace tcp {

namespace {

constexpr std::array<char, 8> magic = {'c', 'a', 'i', 'r', 'n', 't', 'c', '1'};

const unsigned char* raw(const std::byte* bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes);
}
unsigned char* raw(std::byte* bytes) noexcept { return reinterpret_cast<unsigned char*>(bytes); }

/// BLAKE2b with a key, over a purpose and two parts: what was made for one purpose is worth nothing
/// for another.
template <std::size_t size>
void keyed_digest(std::array<std::byte, size>& digest, Bytes key, char purpose, Bytes first,
                  Bytes second) noexcept {
  crypto_generichash_state state;
  const auto letter = static_cast<unsigned char>(purpose);
  crypto_generichash_init(&state, raw(key.data()), key.size(), size);
  crypto_generichash_update(&state, &letter, 1);
  crypto_generichash_update(&state, raw(first.data()), first.size());
  crypto_generichash_update(&state, raw(second.data()), second.size());
  crypto_generichash_final(&state, raw(digest.data()), size);
}

}  // namespace

void prepare_crypto() {
  if (sodium_init() < 0) throw Error(Errc::unavailable, "libsodium cannot be initialised");
}

Nonce random_nonce() noexcept {
  Nonce nonce;
  randombytes_buf(nonce.data(), nonce.size());
  return nonce;
}

void put_u32(std::byte* to, std::uint32_t value) noexcept {
  for (int i = 0; i < 4; ++i) to[i] = static_cast<std::byte>(value >> (8 * i));
}

std::uint32_t get_u32(const std::byte* from) noexcept {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value |= std::to_integer<std::uint32_t>(from[i]) << (8 * i);
  return value;
}

bool are_equal(Bytes a, Bytes b) noexcept {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

HelloBytes encode(const Hello& hello, const TcpSecret& secret) noexcept {
  HelloBytes bytes{};
  std::memcpy(bytes.data(), magic.data(), magic.size());
  put_u32(&bytes[8], static_cast<std::uint32_t>(hello.from));
  put_u32(&bytes[12], static_cast<std::uint32_t>(hello.to));
  put_u32(&bytes[16], hello.nodes);
  put_u32(&bytes[20], hello.frame_bytes_max);
  std::copy(hello.nonce.begin(), hello.nonce.end(), &bytes[32]);
  Tag tag;
  keyed_digest(tag, secret.bytes(), 'H', Bytes(bytes).first(64), {});
  std::copy(tag.begin(), tag.end(), &bytes[64]);
  return bytes;
}

std::optional<Hello> decode(const HelloBytes& bytes, const TcpSecret& secret) noexcept {
  if (std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) return {};
  Tag tag;
  keyed_digest(tag, secret.bytes(), 'H', Bytes(bytes).first(64), {});
  if (!are_equal(tag, Bytes(bytes).subspan(64))) return {};
  Hello hello{.from = static_cast<NodeIndex>(get_u32(&bytes[8])),
              .to = static_cast<NodeIndex>(get_u32(&bytes[12])),
              .nodes = get_u32(&bytes[16]),
              .frame_bytes_max = get_u32(&bytes[20])};
  std::copy_n(&bytes[32], hello.nonce.size(), hello.nonce.begin());
  return hello;
}

WelcomeBytes welcome(const HelloBytes& hello, const Nonce& nonce,
                     const TcpSecret& secret) noexcept {
  WelcomeBytes bytes;
  std::copy(nonce.begin(), nonce.end(), bytes.begin());
  Tag tag;
  keyed_digest(tag, secret.bytes(), 'W', hello, nonce);
  std::copy(tag.begin(), tag.end(), &bytes[nonce.size()]);
  return bytes;
}

std::optional<Nonce> decode(const WelcomeBytes& bytes, const HelloBytes& hello,
                            const TcpSecret& secret) noexcept {
  Nonce nonce;
  std::copy_n(bytes.begin(), nonce.size(), nonce.begin());
  if (!are_equal(bytes, welcome(hello, nonce, secret))) return {};
  return nonce;
}

Tag proof(const HelloBytes& hello, const Nonce& nonce, const TcpSecret& secret) noexcept {
  Tag tag;
  keyed_digest(tag, secret.bytes(), 'P', hello, nonce);
  return tag;
}

Session::Session(const HelloBytes& hello, const Nonce& nonce, const TcpSecret& secret) noexcept {
  keyed_digest(key_, secret.bytes(), 'S', hello, nonce);
}

FrameTag Session::next_tag(Bytes payload) noexcept {
  std::array<std::byte, 12> head;
  put_u32(head.data(), static_cast<std::uint32_t>(number_));
  put_u32(head.data() + 4, static_cast<std::uint32_t>(number_ >> 32));
  put_u32(head.data() + 8, static_cast<std::uint32_t>(payload.size()));
  ++number_;
  FrameTag tag;
  keyed_digest(tag, key_, 'F', head, payload);
  return tag;
}

}  // namespace tcp

}  // namespace cairn::transport
