/// Numbers that tasks have seen, in which one that is lost or there twice shows.
#pragma once

#include <cstdint>

namespace cairn::test {

inline std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 31)) * 0x7fb5d329728ea185;
  return x ^ (x >> 29);
}

/// An exact accumulator.
struct Seen {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  std::uint64_t hash = 0;

  void add(std::uint64_t number) {
    ++count;
    sum += number;
    hash += mixed(number);
  }
  void merge(const Seen& other) {
    count += other.count;
    sum += other.sum;
    hash += other.hash;
  }
  friend bool operator==(const Seen&, const Seen&) = default;
};

/// 0 … count - 1, each once.
inline Seen numbers(std::uint64_t count) {
  Seen seen;
  for (std::uint64_t number = 0; number < count; ++number) seen.add(number);
  return seen;
}

}  // namespace cairn::test
