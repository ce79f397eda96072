/// Writing past the page cache (O_DIRECT), and finding out whether it pays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>

#include "cairn/core/file.hpp"

namespace cairn::ckpt {

/// Writes the whole blocks of a range past the page cache, and what is left at both ends, where a
/// block may be shared with another rank, through it. Local. Memory: 1 MiB.
class DirectWrites {
 public:
  /// What offsets, lengths and memory are multiples of; hardly a device wants more.
  static constexpr std::size_t block_bytes = 4096;

  /// @throws Error when the file cannot be opened; that its file system has no O_DIRECT is no error
  explicit DirectWrites(const std::filesystem::path& path);

  /// Whether the file system takes such writes, as far as is known.
  [[nodiscard]] bool work() const noexcept { return file_.has_value(); }

  /// Writes to `cached`, the same file, what does not go past the cache. To make it durable, sync
  /// `cached`.
  /// @throws Error{input_output, …}
  void write_at(File& cached, std::span<const std::byte> bytes, std::uint64_t offset_bytes);

  void close();

 private:
  bool write_blocks(std::span<const std::byte> bytes, std::uint64_t offset_bytes);

  struct Free {
    void operator()(std::byte* memory) const noexcept;
  };

  std::optional<File> file_;
  std::unique_ptr<std::byte[], Free> buffer_;
};

/// Finds out by whole epochs which way is faster: each one that is written over an older one says
/// how long it took. The way through the cache comes first, then the other; the slower one is tried
/// again from time to time, since devices and their load change. A value without a clock.
class DirectTrial {
 public:
  /// An epoch of fewer bytes a rank tells nothing.
  static constexpr std::uint64_t smallest_bytes = std::uint64_t{8} << 20;
  /// Epochs between two trials of the slower way: at twice the time they cost 1.6 %.
  static constexpr int epochs_between = 64;

  /// Whether the next epoch is to be written directly.
  [[nodiscard]] bool next() const noexcept;

  void took(bool directly, double seconds) noexcept;

 private:
  std::optional<double> cached_seconds_;
  std::optional<double> direct_seconds_;
  int since_trial_ = 0;
};

}  // namespace cairn::ckpt
