#include "codec.hpp"

#include <isa-l/igzip_lib.h>
#include <lz4.h>
#include <zstd.h>

#include <array>
#include <cstring>
#include <new>
#include <string>

#include "cairn/core/error.hpp"
#include "shuffle.hpp"

namespace cairn::ckpt {

namespace {

// Measured on smooth fields: a stronger level of any codec gains a few percent and costs several
// times the time, since it looks for patterns in the noise of the trailing digits.
constexpr int zstd_level = -3;
constexpr int deflate_level = 1;

constexpr std::size_t lz4_header_bytes = 8 + 4 + 4;  // chunk, block, packed block; big-endian

const unsigned char* raw_bytes(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}
unsigned char* raw_bytes(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

void put_big_endian(std::byte* to, std::uint64_t number, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i)
    to[i] = static_cast<std::byte>(number >> (8 * (bytes - 1 - i)) & 255);
}

std::uint64_t big_endian(const std::byte* from, std::size_t bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    number = number << 8 | std::to_integer<std::uint64_t>(from[i]);
  return number;
}

// Each pack_* returns the bytes that it has put into `to`, or 0 when they do not fit.

std::size_t pack_lz4(std::span<const std::byte> from, std::span<std::byte> to) {
  if (to.size() <= lz4_header_bytes) return 0;
  const int packed = ::LZ4_compress_default(reinterpret_cast<const char*>(from.data()),
                                            reinterpret_cast<char*>(to.data() + lz4_header_bytes),
                                            static_cast<int>(from.size()),
                                            static_cast<int>(to.size() - lz4_header_bytes));
  if (packed <= 0) return 0;
  put_big_endian(to.data(), from.size(), 8);
  put_big_endian(to.data() + 8, from.size(), 4);
  put_big_endian(to.data() + 12, static_cast<std::uint64_t>(packed), 4);
  return lz4_header_bytes + static_cast<std::size_t>(packed);
}

bool unpack_lz4(std::span<const std::byte> from, std::span<std::byte> to) {
  if (from.size() <= lz4_header_bytes) return false;
  const auto packed = from.subspan(lz4_header_bytes);
  if (big_endian(from.data(), 8) != to.size() || big_endian(from.data() + 8, 4) != to.size() ||
      big_endian(from.data() + 12, 4) != packed.size())
    return false;
  return ::LZ4_decompress_safe(reinterpret_cast<const char*>(packed.data()),
                               reinterpret_cast<char*>(to.data()), static_cast<int>(packed.size()),
                               static_cast<int>(to.size())) == static_cast<int>(to.size());
}

std::size_t pack_deflate(std::span<const std::byte> from, std::span<std::byte> to,
                         std::span<unsigned char> memory) {
  isal_zstream stream;
  ::isal_deflate_stateless_init(&stream);
  stream.next_in = const_cast<unsigned char*>(raw_bytes(from.data()));  // NOLINT: not written
  stream.avail_in = static_cast<std::uint32_t>(from.size());
  stream.next_out = raw_bytes(to.data());
  stream.avail_out = static_cast<std::uint32_t>(to.size());
  stream.end_of_stream = 1;
  stream.gzip_flag = IGZIP_ZLIB;
  stream.level = deflate_level;
  stream.level_buf = memory.data();
  stream.level_buf_size = static_cast<std::uint32_t>(memory.size());
  return ::isal_deflate_stateless(&stream) == COMP_OK ? stream.total_out : 0;
}

bool unpack_deflate(std::span<const std::byte> from, std::span<std::byte> to) {
  inflate_state state;
  ::isal_inflate_init(&state);
  state.next_in = const_cast<unsigned char*>(raw_bytes(from.data()));  // NOLINT: not written
  state.avail_in = static_cast<std::uint32_t>(from.size());
  state.next_out = raw_bytes(to.data());
  state.avail_out = static_cast<std::uint32_t>(to.size());
  state.crc_flag = ISAL_ZLIB;
  return ::isal_inflate_stateless(&state) == ISAL_DECOMP_OK && state.total_out == to.size();
}

}  // namespace

std::string_view name_of(Compression compression) noexcept {
  constexpr std::array<std::string_view, 4> names{"none", "zstd", "lz4", "deflate"};
  return names[static_cast<std::size_t>(compression)];
}

Compression compression_of(std::string_view word) {
  for (const auto each : {Compression::none, Compression::shuffle_zstd, Compression::shuffle_lz4,
                          Compression::shuffle_deflate}) {
    if (word == name_of(each)) return each;
  }
  Error error(Errc::usage, "'" + std::string(word) +
                               "' is no compression of checkpoints; none, zstd, lz4 or deflate");
  error.mark_agreed();
  throw error;
}

Filter filter_of(Compression compression, std::size_t chunk_bytes) {
  switch (compression) {
    case Compression::shuffle_zstd:
      return {32015, {static_cast<unsigned>(zstd_level)}};
    case Compression::shuffle_lz4:
      return {32004, {static_cast<unsigned>(chunk_bytes)}};
    case Compression::shuffle_deflate:
      return {1, {deflate_level}};
    case Compression::none:
      break;
  }
  throw Error(Errc::internal, "no filter for fields that are not compressed");
}

struct Codec::Contexts {
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> zstd_in{nullptr, &ZSTD_freeCCtx};
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> zstd_out{nullptr, &ZSTD_freeDCtx};
  std::vector<unsigned char> deflate_memory;
};

Codec::Codec(Compression compression, std::size_t element_bytes)
    : element_bytes_(element_bytes),
      compression_(compression),
      contexts_(std::make_unique<Contexts>()) {}
Codec::Codec(Codec&&) noexcept = default;
Codec::~Codec() = default;

std::span<const std::byte> Codec::pack(std::span<const std::byte> raw) {
  if (raw.size() < 2) return raw;
  shuffled_.resize(raw.size());
  packed_.resize(raw.size() - 1);  // what does not fit is no gain
  shuffle(raw, element_bytes_, shuffled_);
  std::size_t bytes = 0;
  switch (compression_) {
    case Compression::none:
      return raw;
    case Compression::shuffle_zstd: {
      auto& context = contexts_->zstd_in;
      if (!context) context.reset(::ZSTD_createCCtx());
      if (!context) throw std::bad_alloc();
      const auto result = ::ZSTD_compressCCtx(context.get(), packed_.data(), packed_.size(),
                                              shuffled_.data(), shuffled_.size(), zstd_level);
      if (::ZSTD_isError(result) == 0) bytes = result;
      break;
    }
    case Compression::shuffle_lz4:
      bytes = pack_lz4(shuffled_, packed_);
      break;
    case Compression::shuffle_deflate:
      contexts_->deflate_memory.resize(ISAL_DEF_LVL1_DEFAULT);
      bytes = pack_deflate(shuffled_, packed_, contexts_->deflate_memory);
      break;
  }
  return bytes == 0 ? raw : std::span<const std::byte>(packed_).first(bytes);
}

bool Codec::unpack(std::span<const std::byte> stored, std::span<std::byte> raw) {
  if (stored.size() == raw.size()) {  // stored as it is
    std::memcpy(raw.data(), stored.data(), raw.size());
    return true;
  }
  shuffled_.resize(raw.size());
  bool is_good = false;
  switch (compression_) {
    case Compression::none:
      return false;
    case Compression::shuffle_zstd: {
      auto& context = contexts_->zstd_out;
      if (!context) context.reset(::ZSTD_createDCtx());
      if (!context) throw std::bad_alloc();
      is_good = ::ZSTD_decompressDCtx(context.get(), shuffled_.data(), shuffled_.size(),
                                      stored.data(), stored.size()) == shuffled_.size();
      break;
    }
    case Compression::shuffle_lz4:
      is_good = unpack_lz4(stored, shuffled_);
      break;
    case Compression::shuffle_deflate:
      is_good = unpack_deflate(stored, shuffled_);
      break;
  }
  if (is_good) unshuffle(shuffled_, element_bytes_, raw);
  return is_good;
}

}  // namespace cairn::ckpt
