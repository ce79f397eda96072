/// CountTable: the combiner. How often each distinct token was seen by this rank.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "cairn/mapreduce/record.hpp"

namespace cairn::mapreduce {

/// The hash that places tokens, in tables and on ranks: XXH3, 64 bits, seed 0. Part of no file
/// format.
[[nodiscard]] std::uint64_t token_hash(std::string_view token) noexcept;

/// A distinct token in the arena of a CountTable: its bytes stand behind this header.
struct TokenRecord {
  std::uint64_t count = 0;
  std::uint64_t length = 0;

  [[nodiscard]] std::string_view token() const noexcept {
    return {reinterpret_cast<const char*>(this + 1), length};
  }
};

/// Memory for records that grows and never moves; freed all at once.
class Arena {
 public:
  /// `bytes` of memory aligned to 8. Larger requests than a block get a block of their own.
  std::byte* allocate(std::size_t bytes);

 private:
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::byte* free_ = nullptr;
  std::size_t left_bytes_ = 0;
};

/// Open addressing with linear probing over 16-byte slots; tokens live in an arena, each beside its
/// count, and are copied at first sight alone.
///
///     slots   | hash record | hash record |    –    | hash record | …   at most half full
///     arena   | count length bytes… | count length bytes… |
///
/// Local, movable. Memory: 32 to 64 bytes of slots, 16 of header and the token, per distinct token;
/// while the slots double, half as much again.
class CountTable {
 public:
  CountTable();

  /// Counts each of `tokens` once. The fast way: memory is fetched for a group at a time.
  void add(std::span<const std::string_view> tokens);

  /// Counts `token` `count` more times.
  void add(std::string_view token, std::uint64_t count) { add(token, token_hash(token), count); }
  void add(std::string_view token, std::uint64_t hash, std::uint64_t count);

  [[nodiscard]] std::uint64_t tokens() const noexcept { return tokens_; }
  [[nodiscard]] std::uint64_t distinct() const noexcept { return distinct_; }

  /// A place in the table: empty when `record` is null.
  struct Slot {
    std::uint64_t hash = 0;
    TokenRecord* record = nullptr;
  };
  /// All slots, in no order that means anything.
  [[nodiscard]] std::span<const Slot> slots() const noexcept { return slots_; }

  /// The records alone, and the arena that holds them; the table is empty afterwards.
  [[nodiscard]] std::vector<const TokenRecord*> take_records(Arena& arena);

 private:
  void count_one(std::string_view token, std::uint64_t hash, std::uint64_t count);
  TokenRecord* new_record(std::string_view token, std::uint64_t count);
  void make_room(std::size_t tokens);

  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
  std::uint64_t distinct_ = 0;
  std::uint64_t tokens_ = 0;
  Arena arena_;
};

}  // namespace cairn::mapreduce
