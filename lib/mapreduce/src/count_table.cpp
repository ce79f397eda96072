#include "cairn/mapreduce/count_table.hpp"

#define XXH_INLINE_ALL  // most tokens are shorter than a call is long
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

namespace cairn::mapreduce {

namespace {

constexpr std::size_t first_slots = std::size_t{1} << 12;
constexpr std::size_t block_bytes = std::size_t{1} << 20;

/// Tokens whose memory is under way at the same time: about what a core can have outstanding.
constexpr std::size_t group = 16;

}  // namespace

std::uint64_t token_hash(std::string_view token) noexcept {
  return XXH3_64bits(token.data(), token.size());
}

std::byte* Arena::allocate(std::size_t bytes) {
  bytes = (bytes + 7) / 8 * 8;
  if (bytes > left_bytes_) {
    const std::size_t size = std::max(bytes, block_bytes);
    blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(size));
    if (size > block_bytes) return blocks_.back().get();  // the current block is still good
    free_ = blocks_.back().get();
    left_bytes_ = size;
  }
  std::byte* const memory = free_;
  free_ += bytes;
  left_bytes_ -= bytes;
  return memory;
}

CountTable::CountTable() : slots_(first_slots), mask_(first_slots - 1) {}

void CountTable::add(std::span<const std::string_view> tokens) {
  std::array<std::uint64_t, group> hashes;
  while (!tokens.empty()) {
    const auto some = tokens.first(std::min(group, tokens.size()));
    make_room(some.size());
    for (std::size_t i = 0; i < some.size(); ++i) {
      hashes[i] = token_hash(some[i]);
      __builtin_prefetch(&slots_[hashes[i] & mask_]);
    }
    for (std::size_t i = 0; i < some.size(); ++i)
      __builtin_prefetch(slots_[hashes[i] & mask_].record, 1);
    for (std::size_t i = 0; i < some.size(); ++i) count_one(some[i], hashes[i], 1);
    tokens = tokens.subspan(some.size());
  }
}

void CountTable::add(std::string_view token, std::uint64_t hash, std::uint64_t count) {
  make_room(1);
  count_one(token, hash, count);
}

void CountTable::count_one(std::string_view token, std::uint64_t hash, std::uint64_t count) {
  tokens_ += count;
  for (std::size_t i = hash & mask_;; i = (i + 1) & mask_) {
    Slot& slot = slots_[i];
    if (slot.record == nullptr) {
      slot = {hash, new_record(token, count)};
      ++distinct_;
      return;
    }
    if (slot.hash == hash && slot.record->token() == token) {
      slot.record->count += count;
      return;
    }
  }
}

TokenRecord* CountTable::new_record(std::string_view token, std::uint64_t count) {
  std::byte* const memory = arena_.allocate(sizeof(TokenRecord) + token.size());
  auto* const record = new (memory) TokenRecord{count, token.size()};
  std::memcpy(memory + sizeof(TokenRecord), token.data(), token.size());
  return record;
}

/// Keeps the table at most half full when `tokens` more come.
void CountTable::make_room(std::size_t tokens) {
  if ((distinct_ + tokens) * 2 <= slots_.size()) return;
  std::vector<Slot> larger(slots_.size() * 2);
  mask_ = larger.size() - 1;
  for (const Slot& slot : slots_) {
    if (slot.record == nullptr) continue;
    std::size_t i = slot.hash & mask_;
    while (larger[i].record != nullptr) i = (i + 1) & mask_;
    larger[i] = slot;
  }
  slots_ = std::move(larger);
}

std::vector<const TokenRecord*> CountTable::take_records(Arena& arena) {
  std::vector<const TokenRecord*> records;
  records.reserve(distinct_);
  for (const Slot& slot : slots_)
    if (slot.record != nullptr) records.push_back(slot.record);
  arena = std::exchange(arena_, Arena());
  *this = CountTable();
  return records;
}

}  // namespace cairn::mapreduce
