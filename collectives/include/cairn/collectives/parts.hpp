/// Parts<T>: values of all ranks one behind the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "cairn/collectives/byte_buffer.hpp"
#include "cairn/collectives/datatype.hpp"
#include "cairn/core/expects.hpp"

namespace cairn {

namespace detail {

/// Parts of any type, in bytes.
class ByteParts {
 public:
  explicit ByteParts(std::size_t alignment = least_alignment) : buffer_(alignment) {}

  [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return ends_.empty() ? 0 : ends_.back(); }
  [[nodiscard]] std::size_t offset(std::size_t r) const noexcept {
    return r == 0 ? 0 : ends_[r - 1];
  }
  [[nodiscard]] std::size_t bytes(std::size_t r) const noexcept { return ends_[r] - offset(r); }
  /// Where each part ends.
  [[nodiscard]] std::span<const std::size_t> ends() const noexcept { return ends_; }
  [[nodiscard]] std::byte* data() noexcept { return buffer_.data(); }
  [[nodiscard]] const std::byte* data() const noexcept { return buffer_.data(); }
  [[nodiscard]] std::byte* part(std::size_t r) noexcept { return data() + offset(r); }
  [[nodiscard]] const std::byte* part(std::size_t r) const noexcept { return data() + offset(r); }

  /// One part for each of `bytes`, times `unit`; the contents are unspecified. Without the memory
  /// the parts are as before, but for their contents.
  void reshape(std::span<const std::size_t> bytes, std::size_t unit = 1) {
    const std::size_t most = SIZE_MAX / 2 / unit;
    std::size_t all = 0;
    for (const std::size_t part : bytes) {
      expects(part <= most - all, "parts that a memory could hold");
      all += part;
    }
    buffer_.reserve(all * unit);
    ends_.resize(bytes.size());
    std::size_t end = 0;
    for (std::size_t r = 0; r < bytes.size(); ++r) ends_[r] = end += bytes[r] * unit;
  }
  /// Room for `parts` parts of that many bytes together. The contents are lost.
  void reserve(std::size_t parts, std::size_t bytes) {
    ends_.reserve(parts);
    buffer_.reserve(bytes);
  }

 private:
  std::vector<std::size_t> ends_;
  ByteBuffer buffer_;
};

}  // namespace detail

/// One part of values for each rank, in rank order, one behind the other in one array.
///
///     values()  [ a0 a1 a2 | b0 | | d0 d1 ]
///     counts      3          1   0  2
///
/// What an exchange fills when the receiver does not know the counts, and what all_to_all_v sends.
/// Counts are 64-bit. The memory grows and is kept: used again it allocates nothing. Move-only.
template <typename T>
class Parts {
  static_assert(detail::expected_element<T>());

 public:
  Parts() = default;
  explicit Parts(std::span<const std::size_t> counts) { reshape(counts); }

  /// counts.size() parts of that many values, which are unspecified until they are written.
  /// @throws std::bad_alloc  the parts are as before, their values unspecified
  void reshape(std::span<const std::size_t> counts) { bytes_.reshape(counts, sizeof(T)); }

  /// Room for `parts` parts of that many values together, so that exchanges up to there allocate
  /// nothing here. The values are lost.
  void reserve(std::size_t parts, std::size_t values) { bytes_.reserve(parts, values * sizeof(T)); }

  /// The number of parts: the ranks of the communicator; 0 before the first use, and on the ranks
  /// that got nothing.
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }

  /// Values of part `r`, and values before it.
  [[nodiscard]] std::size_t count(std::size_t r) const noexcept {
    return bytes_.bytes(r) / sizeof(T);
  }
  [[nodiscard]] std::size_t offset(std::size_t r) const noexcept {
    return bytes_.offset(r) / sizeof(T);
  }

  /// Part `r`, valid until the next exchange into this object.
  [[nodiscard]] std::span<T> part(std::size_t r) noexcept {
    return {reinterpret_cast<T*>(bytes_.part(r)), count(r)};
  }
  [[nodiscard]] std::span<const T> part(std::size_t r) const noexcept {
    return {reinterpret_cast<const T*>(bytes_.part(r)), count(r)};
  }

  /// All parts.
  [[nodiscard]] std::span<T> values() noexcept {
    return {reinterpret_cast<T*>(bytes_.data()), bytes_.bytes() / sizeof(T)};
  }
  [[nodiscard]] std::span<const T> values() const noexcept {
    return {reinterpret_cast<const T*>(bytes_.data()), bytes_.bytes() / sizeof(T)};
  }

  /// The same in bytes, for the exchanges.
  [[nodiscard]] detail::ByteParts& as_bytes() noexcept { return bytes_; }
  [[nodiscard]] const detail::ByteParts& as_bytes() const noexcept { return bytes_; }

 private:
  detail::ByteParts bytes_{detail::alignment_for<T>};
};

}  // namespace cairn
