/// The secret key of encrypted epochs.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cairn::ckpt {

/// 32 secret bytes. Copies share them; they are kept out of swap where the system allows it, and
/// wiped with the last copy. Never printed; id() is what may be.
class Key {
 public:
  static constexpr std::size_t size_bytes = 32;

  /// Reads 32 raw bytes or 64 hexadecimal digits. Local.
  /// @throws Error{Errc::permission} when group or others may read or write the file, {usage} when
  /// it holds something else, {no_input, …} when it cannot be read
  [[nodiscard]] static Key from_file(const std::filesystem::path& path);

  /// Of 64 hexadecimal digits; `source` names where they stand. Local. @throws Error{Errc::usage}
  [[nodiscard]] static Key from_hex(std::string_view digits, std::string_view source);

  /// The key in `file`, or that in the environment variable CAIRN_CKPT_KEY if `file` is empty;
  /// nothing when there is neither. Local.
  [[nodiscard]] static std::optional<Key> given(const std::filesystem::path& file);

  /// 16 hexadecimal digits that tell keys apart and say nothing of their bytes.
  [[nodiscard]] std::string id() const;

  [[nodiscard]] std::span<const unsigned char, size_bytes> bytes() const noexcept;

 private:
  struct Secret;
  explicit Key(std::shared_ptr<Secret> secret) : secret_(std::move(secret)) {}
  std::shared_ptr<Secret> secret_;
};

}  // namespace cairn::ckpt
