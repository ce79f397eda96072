// Sets of vertices in a fixed number of words.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace cairn::clique {

template <int words>
struct Bits {
  std::array<std::uint64_t, words> word{};

  void set(int i) noexcept { word[at(i)] |= mask(i); }
  void reset(int i) noexcept { word[at(i)] &= ~mask(i); }
  [[nodiscard]] bool test(int i) const noexcept { return (word[at(i)] & mask(i)) != 0; }

  [[nodiscard]] bool none() const noexcept {
    std::uint64_t any = 0;
    for (const auto w : word) any |= w;
    return any == 0;
  }

  Bits& operator&=(const Bits& other) noexcept {
    for (std::size_t i = 0; i < word.size(); ++i) word[i] &= other.word[i];
    return *this;
  }
  friend Bits operator&(Bits a, const Bits& b) noexcept { return a &= b; }
  void remove(const Bits& other) noexcept {
    for (std::size_t i = 0; i < word.size(); ++i) word[i] &= ~other.word[i];
  }

  /// The lowest one from bit `from` on; -1 if there is none.
  [[nodiscard]] int next(int from) const noexcept {
    if (from >= 64 * words) return -1;
    std::size_t i = at(from);
    std::uint64_t w = word[i] & (~std::uint64_t{0} << (static_cast<unsigned>(from) % 64));
    while (w == 0) {
      if (++i == word.size()) return -1;
      w = word[i];
    }
    return static_cast<int>(64 * i) + std::countr_zero(w);
  }

  friend bool operator==(const Bits&, const Bits&) = default;

 private:
  static std::size_t at(int i) noexcept { return static_cast<std::size_t>(i) / 64; }
  static std::uint64_t mask(int i) noexcept {
    return std::uint64_t{1} << (static_cast<unsigned>(i) % 64);
  }
};

}  // namespace cairn::clique
