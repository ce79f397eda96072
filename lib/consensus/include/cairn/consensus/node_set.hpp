/// Sets of nodes as bits.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "cairn/transport/envelope.hpp"

namespace cairn::consensus {

/// A set of nodes out of 0 … capacity-1; capacity is a multiple of 64.
template <int capacity>
class NodeSet {
  static_assert(capacity > 0 && capacity % 64 == 0);

 public:
  /// {0, …, count-1}
  [[nodiscard]] static constexpr NodeSet first(int count) noexcept {
    NodeSet set;
    for (int word = 0; word < words; ++word) {
      const int left = count - word * 64;
      if (left >= 64)
        set.bits_[word] = ~std::uint64_t{0};
      else if (left > 0)
        set.bits_[word] = (std::uint64_t{1} << left) - 1;
    }
    return set;
  }

  constexpr void insert(transport::NodeIndex node) noexcept {
    bits_[node / 64] |= std::uint64_t{1} << (node % 64);
  }
  [[nodiscard]] constexpr bool contains(transport::NodeIndex node) const noexcept {
    return (bits_[node / 64] >> (node % 64) & 1) != 0;
  }
  [[nodiscard]] constexpr bool empty() const noexcept {
    for (const auto word : bits_)
      if (word != 0) return false;
    return true;
  }
  [[nodiscard]] constexpr int size() const noexcept {
    int size = 0;
    for (const auto word : bits_) size += std::popcount(word);
    return size;
  }
  /// What is in this set and not in `other`.
  [[nodiscard]] constexpr NodeSet without(const NodeSet& other) const noexcept {
    NodeSet result = *this;
    for (int word = 0; word < words; ++word) result.bits_[word] &= ~other.bits_[word];
    return result;
  }
  constexpr NodeSet& operator|=(const NodeSet& other) noexcept {
    for (int word = 0; word < words; ++word) bits_[word] |= other.bits_[word];
    return *this;
  }
  constexpr NodeSet& operator&=(const NodeSet& other) noexcept {
    for (int word = 0; word < words; ++word) bits_[word] &= other.bits_[word];
    return *this;
  }
  friend constexpr bool operator==(const NodeSet&, const NodeSet&) = default;

  /// Node i as bit i, as quorums take it.
  [[nodiscard]] constexpr std::uint64_t bits() const noexcept requires(capacity == 64) {
    return bits_[0];
  }

  template <typename Hasher>
  constexpr void add_to(Hasher& hasher) const noexcept {
    for (const auto word : bits_) hasher.add(word);
  }

 private:
  static constexpr int words = capacity / 64;
  std::array<std::uint64_t, words> bits_{};
};

}  // namespace cairn::consensus
