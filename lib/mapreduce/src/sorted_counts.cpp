#include "cairn/mapreduce/sorted_counts.hpp"

#include <algorithm>
#include <string_view>

#include "cairn/trace/trace.hpp"

namespace cairn::mapreduce {

namespace {

/// The first eight bytes as a number whose order is that of the bytes; shorter tokens end in zeros.
std::uint64_t first_bytes(std::string_view token) {
  std::uint64_t key = 0;
  for (std::size_t i = 0; i < 8; ++i)
    key = key << 8 | (i < token.size() ? static_cast<unsigned char>(token[i]) : 0U);
  return key;
}

}  // namespace

SortedCounts::SortedCounts(CountTable table) {
  const trace::Span span("mapreduce.sort");
  entries_.reserve(table.distinct());
  for (const TokenRecord* record : table.take_records(arena_))
    entries_.push_back({record->count, record});
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.key > b.key; });
  for (auto first = entries_.begin(); first != entries_.end();) {
    const auto last =
        std::find_if(first, entries_.end(), [&](const Entry& e) { return e.key != first->key; });
    for (auto entry = first; entry != last; ++entry)
      entry->key = first_bytes(entry->record->token());
    std::sort(first, last, [](const Entry& a, const Entry& b) {
      return a.key != b.key ? a.key < b.key : a.record->token() < b.record->token();
    });
    first = last;
  }
}

}  // namespace cairn::mapreduce
