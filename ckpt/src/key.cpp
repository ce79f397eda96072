#include "cairn/ckpt/key.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "cairn/core/error.hpp"
#include "cairn/core/file.hpp"

namespace cairn::ckpt {

struct Key::Secret {
  Secret() {
    if (::sodium_init() < 0) throw Error(Errc::unavailable, "libsodium has no random numbers");
    ::sodium_mlock(bytes.data(), bytes.size());  // not to get it is no failure
  }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() {
    ::sodium_memzero(bytes.data(), bytes.size());
    ::sodium_munlock(bytes.data(), bytes.size());
  }

  std::array<unsigned char, size_bytes> bytes{};
};

namespace {

/// Bytes that are wiped at the end.
template <std::size_t Size>
struct Wiped {
  Wiped() = default;
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
  ~Wiped() { ::sodium_memzero(bytes.data(), Size); }
  std::array<char, Size> bytes{};
};

void expect_private(const File& file) {
  struct stat status = {};
  check_posix(::fstat(file.descriptor(), &status), "look at " + file.path().string());
  if (!S_ISREG(status.st_mode)) {
    throw Error(Errc::usage, file.path().string() + " is not a file, and no key");
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) == 0) return;
  throw Error(Errc::permission, "others than the owner may use the key in " + file.path().string() +
                                    "; chmod 600 it, and take a new key if they may have seen it");
}

}  // namespace

Key Key::from_file(const std::filesystem::path& path) {
  const File file(path, O_RDONLY | O_NONBLOCK);  // opening a pipe would wait for its writer
  expect_private(file);
  Wiped<2 * size_bytes + 1> text;
  const auto size = file.size_bytes();
  if (size == size_bytes || size == 2 * size_bytes || size == 2 * size_bytes + 1) {
    file.read_at(std::as_writable_bytes(std::span(text.bytes).first(size)), 0);
    if (size != size_bytes && (size == 2 * size_bytes || text.bytes.back() == '\n')) {
      return from_hex({text.bytes.data(), 2 * size_bytes}, path.string());
    }
    if (size == size_bytes) {
      auto secret = std::make_shared<Secret>();
      std::copy_n(text.bytes.begin(), size_bytes, secret->bytes.begin());
      return Key(std::move(secret));
    }
  }
  throw Error(Errc::usage, path.string() + " holds no key: 32 bytes, or 64 hexadecimal digits");
}

Key Key::from_hex(std::string_view digits, std::string_view source) {
  auto secret = std::make_shared<Secret>();
  std::size_t length = 0;
  const char* end = nullptr;
  const bool is_hex = ::sodium_hex2bin(secret->bytes.data(), size_bytes, digits.data(),
                                       digits.size(), nullptr, &length, &end) == 0;
  if (!is_hex || digits.size() != 2 * size_bytes || length != size_bytes ||
      end != digits.data() + digits.size()) {
    throw Error(Errc::usage, std::string(source) + " holds no key of 64 hexadecimal digits");
  }
  return Key(std::move(secret));
}

std::optional<Key> Key::given(const std::filesystem::path& file) {
  if (!file.empty()) return from_file(file);
  const char* digits = std::getenv("CAIRN_CKPT_KEY");
  if (digits == nullptr || *digits == '\0') return std::nullopt;
  return from_hex(digits, "CAIRN_CKPT_KEY");
}

std::string Key::id() const {
  constexpr std::string_view constant = "cairn checkpoint key id";
  std::array<unsigned char, crypto_generichash_BYTES_MIN> hash{};
  ::crypto_generichash(hash.data(), hash.size(),
                       reinterpret_cast<const unsigned char*>(constant.data()), constant.size(),
                       secret_->bytes.data(), size_bytes);
  std::array<char, 17> hex{};
  ::sodium_bin2hex(hex.data(), hex.size(), hash.data(), 8);
  return hex.data();
}

std::span<const unsigned char, Key::size_bytes> Key::bytes() const noexcept {
  return secret_->bytes;
}

}  // namespace cairn::ckpt
