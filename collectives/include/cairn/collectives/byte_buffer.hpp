/// Memory that is grown and used again.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

namespace cairn::detail {

/// Bytes at an address that suits every type; grows, never shrinks, and fills nothing in.
/// Move-only.
class ByteBuffer {
 public:
  ByteBuffer() = default;
  ByteBuffer(ByteBuffer&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~ByteBuffer() { ::operator delete(memory_, alignment); }

  [[nodiscard]] std::byte* data() noexcept { return memory_; }
  [[nodiscard]] const std::byte* data() const noexcept { return memory_; }

  /// Room for `bytes`; the first `keep_bytes` stay, the others are unspecified.
  /// @return data()
  std::byte* reserve(std::size_t bytes, std::size_t keep_bytes = 0) {
    if (bytes > capacity_) [[unlikely]] {
      grow(bytes, keep_bytes);
    }
    return memory_;
  }

 private:
  static constexpr std::align_val_t alignment{64};

  void grow(std::size_t bytes, std::size_t keep_bytes) {
    const std::size_t half_more = capacity_ + capacity_ / 2;
    const std::size_t capacity = bytes > half_more ? bytes : half_more;
    ByteBuffer larger;
    larger.memory_ = static_cast<std::byte*>(::operator new(capacity, alignment));
    larger.capacity_ = capacity;
    if (keep_bytes > 0) std::memcpy(larger.memory_, memory_, keep_bytes);
    *this = std::move(larger);
  }

  std::byte* memory_ = nullptr;
  std::size_t capacity_ = 0;
};

}  // namespace cairn::detail
