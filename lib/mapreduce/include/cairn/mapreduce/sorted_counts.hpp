/// SortedCounts: the tokens of a table in the order of the output.
#pragma once

#include <cstddef>
#include <vector>

#include "cairn/mapreduce/count_table.hpp"
#include "cairn/mapreduce/record.hpp"

namespace cairn::mapreduce {

/// The distinct tokens of one rank, by falling count, then by rising bytes of the token.
/// Local, movable, immutable.
class SortedCounts {
 public:
  /// Takes the tokens over without copying them. Memory on top: 16 bytes a token.
  explicit SortedCounts(CountTable table);

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] TokenCount operator[](std::size_t i) const noexcept {
    return {entries_[i].record->token(), entries_[i].record->count};
  }

 private:
  // `key` is first the count, then the first eight bytes of the token: what decides most
  // comparisons stands in the entry itself.
  struct Entry {
    std::uint64_t key;
    const TokenRecord* record;
  };

  Arena arena_;
  std::vector<Entry> entries_;
};

}  // namespace cairn::mapreduce
