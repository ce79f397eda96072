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

/// How a rank writes its part of an epoch.
enum class WayOfWriting : std::uint8_t {
  cached,  ///< through the page cache
  direct,  ///< past it
  faster,  ///< whichever is faster at the moment
};

/// Finds out while a new file is written which way is faster. A value without a clock.
///
/// Of a write through the cache it sees the copy alone, which is what counts: the device works on
/// what was written before meanwhile, and has more to choose from than direct writes give it, so
/// that the whole takes the longer of the two. As long as copying is quick, it goes on; when it is
/// not, the other way is tried once, and the one kept that was faster last. Copies are slow where
/// many ranks write to one file, whose lock puts them in a row, and where pages of the cache come
/// fresh from a hypervisor: the first ones often do not.
class NewFileTrial {
 public:
  /// A file of fewer bytes a rank is not worth it.
  static constexpr std::uint64_t smallest_bytes = std::uint64_t{64} << 20;

  struct Settings {
    /// So much is written before it compares; directly less, when that has taken longer than so
    /// much through the cache.
    std::uint64_t window_bytes = std::uint64_t{8} << 20;
    /// A copy of fewer bytes per second is slow; memory takes a few times as many.
    double slow_copy = 1e9;
  };

  NewFileTrial() = default;
  explicit NewFileTrial(const Settings& settings) noexcept : settings_(settings) {}

  /// Whether the next bytes are to be written directly.
  [[nodiscard]] bool next() const noexcept { return is_direct_; }

  /// @param seconds  what they took as next() said
  void took(std::uint64_t bytes, double seconds) noexcept;

 private:
  Settings settings_;
  bool is_direct_ = false;
  std::uint64_t bytes_ = 0;  // of this window
  double seconds_ = 0.0;
  double cached_rate_ = 0.0;  // of the last window, bytes per second
  std::optional<double> direct_rate_;
};

/// Writes the whole blocks of a range past the page cache, and what is left at both ends, where a
/// block may be shared with another rank, through it. Local. Memory: 1 MiB.
class DirectWrites {
 public:
  /// What offsets, lengths and memory are multiples of; hardly a device wants more.
  static constexpr std::size_t block_bytes = 4096;

  /// @param trial  says when to write so; nothing: always
  /// @throws Error when the file cannot be opened; that its file system has no O_DIRECT is no error
  explicit DirectWrites(const std::filesystem::path& path,
                        std::optional<NewFileTrial> trial = std::nullopt);

  /// Whether the file system takes such writes, as far as is known.
  [[nodiscard]] bool work() const noexcept { return file_.has_value(); }

  /// Writes to `cached`, the same file, what does not go past the cache. To make it durable, sync
  /// `cached`.
  /// @throws Error{input_output, …}
  void write_at(File& cached, std::span<const std::byte> bytes, std::uint64_t offset_bytes);

  void close();

 private:
  void write_directly(File& cached, std::span<const std::byte> bytes, std::uint64_t offset_bytes);
  bool write_blocks(std::span<const std::byte> bytes, std::uint64_t offset_bytes);

  struct Free {
    void operator()(std::byte* memory) const noexcept;
  };

  std::optional<File> file_;
  std::unique_ptr<std::byte[], Free> buffer_;
  std::optional<NewFileTrial> trial_;
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
