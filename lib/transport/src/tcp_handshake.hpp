/// What the two ends of a connection say to each other before the first frame, and the tags of
/// frames. Pure: bytes in, bytes out. FORMAT.md describes the bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "cairn/transport/tcp_mesh.hpp"

namespace cairn::transport::tcp {

using Bytes = std::span<const std::byte>;
using Nonce = std::array<std::byte, 32>;
using Tag = std::array<std::byte, 32>;
using FrameTag = std::array<std::byte, 16>;

/// Makes libsodium ready; harmless to repeat. @throws Error{Errc::unavailable}
void prepare_crypto();

[[nodiscard]] Nonce random_nonce() noexcept;

/// The first words of a caller.
struct Hello {
  NodeIndex from = 0;
  NodeIndex to = 0;
  std::uint32_t nodes = 0;
  std::uint32_t frame_bytes_max = 0;
  Nonce nonce = {};
};

constexpr std::size_t hello_bytes = 96;
constexpr std::size_t welcome_bytes = 64;
constexpr std::size_t proof_bytes = 32;
using HelloBytes = std::array<std::byte, hello_bytes>;
using WelcomeBytes = std::array<std::byte, welcome_bytes>;

[[nodiscard]] HelloBytes encode(const Hello& hello, const TcpSecret& secret) noexcept;
/// Nothing when the bytes are not of this protocol, or their writer does not know the secret.
[[nodiscard]] std::optional<Hello> decode(const HelloBytes& bytes,
                                          const TcpSecret& secret) noexcept;

/// The listener's answer: its nonce, and a tag over that and the hello.
[[nodiscard]] WelcomeBytes welcome(const HelloBytes& hello, const Nonce& nonce,
                                   const TcpSecret& secret) noexcept;
/// The listener's nonce, when its tag is right.
[[nodiscard]] std::optional<Nonce> decode(const WelcomeBytes& bytes, const HelloBytes& hello,
                                          const TcpSecret& secret) noexcept;

/// The caller's proof that it knows the secret now, and does not repeat an old hello.
[[nodiscard]] Tag proof(const HelloBytes& hello, const Nonce& nonce,
                        const TcpSecret& secret) noexcept;

[[nodiscard]] bool are_equal(Bytes a, Bytes b) noexcept;  ///< in constant time

/// One direction of an open connection: its key, and the number of the next frame.
class Session {
 public:
  Session() = default;
  Session(const HelloBytes& hello, const Nonce& nonce, const TcpSecret& secret) noexcept;

  /// The tag of the next frame.
  [[nodiscard]] FrameTag next_tag(Bytes payload) noexcept;

 private:
  std::array<std::byte, 32> key_{};
  std::uint64_t number_ = 0;
};

constexpr std::size_t frame_head_bytes = 4;
constexpr std::size_t frame_extra_bytes = frame_head_bytes + sizeof(FrameTag);

void put_u32(std::byte* to, std::uint32_t value) noexcept;  ///< little-endian
[[nodiscard]] std::uint32_t get_u32(const std::byte* from) noexcept;

}  // namespace cairn::transport::tcp
