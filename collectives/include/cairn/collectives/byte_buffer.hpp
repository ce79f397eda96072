/// Memory that is grown and used again.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace cairn::detail {

/// Bytes at an address that suits every type; grows, never shrinks, and fills nothing in.
class ByteBuffer {
 public:
  [[nodiscard]] std::byte* data() noexcept { return memory_.get(); }
  [[nodiscard]] const std::byte* data() const noexcept { return memory_.get(); }

  /// Room for `bytes`; the first `keep_bytes` stay, the others are unspecified.
  /// @return data()
  std::byte* reserve(std::size_t bytes, std::size_t keep_bytes = 0) {
    if (bytes > capacity_) [[unlikely]] {
      grow(bytes, keep_bytes);
    }
    return memory_.get();
  }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(std::byte* memory) const noexcept { ::operator delete(memory, alignment); }
  };

  void grow(std::size_t bytes, std::size_t keep_bytes) {
    const std::size_t capacity = std::max(bytes, capacity_ + capacity_ / 2);
    std::unique_ptr<std::byte, Free> larger(
        static_cast<std::byte*>(::operator new(capacity, alignment)));
    if (keep_bytes > 0) std::memcpy(larger.get(), memory_.get(), keep_bytes);
    memory_ = std::move(larger);
    capacity_ = capacity;
  }

  std::unique_ptr<std::byte, Free> memory_;
  std::size_t capacity_ = 0;
};

}  // namespace cairn::detail
