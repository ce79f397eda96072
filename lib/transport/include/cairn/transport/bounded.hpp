/// A sequence with room for `capacity` elements inside itself: no allocation, regular, trivially
/// copyable when its elements are.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <span>

namespace cairn::transport {

/// A vector whose elements live in the object.
///
/// The capacity of a protocol's queue is a property of the protocol: one that would overflow is a
/// bug of its owner, so push_back asserts. Comparison looks at the elements in use alone.
template <typename T, std::size_t capacity_>
class Bounded {
 public:
  [[nodiscard]] static constexpr std::size_t capacity() noexcept { return capacity_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] bool full() const noexcept { return size_ == capacity_; }

  /// Whether the size is one that can be: to be asked once of what has come from outside as bytes.
  [[nodiscard]] bool is_sound() const noexcept { return size_ <= capacity_; }

  void clear() noexcept { size_ = 0; }
  void push_back(const T& value) noexcept {
    assert(size_ < capacity_);
    items_[size_++] = value;
  }
  /// Removes [size, end); size ≤ size().
  void shrink(std::size_t size) noexcept {
    assert(size <= size_);
    size_ = size;
  }

  [[nodiscard]] T& operator[](std::size_t i) noexcept {
    assert(i < size_);
    return items_[i];
  }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept {
    assert(i < size_);
    return items_[i];
  }
  [[nodiscard]] T* begin() noexcept { return items_.data(); }
  [[nodiscard]] T* end() noexcept { return items_.data() + size_; }
  [[nodiscard]] const T* begin() const noexcept { return items_.data(); }
  [[nodiscard]] const T* end() const noexcept { return items_.data() + size_; }

  friend bool operator==(const Bounded& a, const Bounded& b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  std::array<T, capacity_> items_{};
  std::size_t size_ = 0;
};

}  // namespace cairn::transport
