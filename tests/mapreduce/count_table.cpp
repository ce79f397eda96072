#include "cairn/mapreduce/count_table.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "cairn/mapreduce/sorted_counts.hpp"
#include "text.hpp"

using namespace cairn;
using namespace cairn::mapreduce;

namespace {

/// `n` numbers as words, the small ones often.
std::vector<std::string> words(std::uint64_t seed, std::uint64_t n) {
  std::vector<std::string> words;
  for (std::uint64_t i = 0; i < n; ++i)
    words.push_back(std::to_string(Random(seed).below(i, 1 + Random(seed, 1).below(i, n))));
  return words;
}

std::vector<TokenCount> expected_order(const test::Counts& counts) {
  std::vector<TokenCount> order;
  for (const auto& [token, count] : counts) order.push_back({token, count});
  std::sort(order.begin(), order.end(), comes_before);
  return order;
}

}  // namespace

TEST_CASE("counts are those of std::map, one by one and in batches, while the table grows") {
  const auto all = words(1, 60000);
  test::Counts counts;
  for (const auto& word : all) ++counts[word];

  CountTable one_by_one;
  for (const auto& word : all) one_by_one.add(word, 1);
  CountTable batched;
  const std::vector<std::string_view> views(all.begin(), all.end());
  batched.add(views);

  for (CountTable* table : {&one_by_one, &batched}) {
    CHECK(table->tokens() == all.size());
    CHECK(table->distinct() == counts.size());
    std::size_t seen = 0;
    for (const auto& slot : table->slots()) {
      if (slot.record == nullptr) continue;
      ++seen;
      CHECK(counts.at(std::string(slot.record->token())) == slot.record->count);
      CHECK(slot.hash == token_hash(slot.record->token()));
    }
    CHECK(seen == counts.size());
    CHECK(table->slots().size() >= 2 * seen);
  }
}

TEST_CASE("tokens with equal hashes stay apart") {
  CountTable table;
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < 100; ++i) table.add(std::to_string(i), 42, 1);
  CHECK(table.distinct() == 100);
  for (const auto& slot : table.slots())
    if (slot.record != nullptr) CHECK(slot.record->count == 3);
}

TEST_CASE("empty, long and binary tokens") {
  CountTable table;
  const std::string huge(3 << 20, 'h');
  table.add(huge, 5);
  table.add(std::string_view("\0", 1), 1);
  table.add(std::string_view("\0\0", 2), 1);
  table.add("after the long one", 1);
  table.add(huge, 5);
  CHECK(table.distinct() == 4);
  const SortedCounts sorted(std::move(table));
  CHECK(sorted[0].count == 10);
  CHECK(sorted[0].token == huge);
  CHECK(sorted[1].token == std::string_view("\0", 1));
  CHECK(sorted[2].token == std::string_view("\0\0", 2));
}

TEST_CASE("sorted by falling count, then by rising bytes") {
  test::Counts counts;
  for (const auto& word : words(2, 20000)) ++counts[word];
  test::count_into(counts, test::random_text(9, 20000));
  for (const char* same_start : {"prefix88", "prefix88a", "prefix88\x80", "prefix8", "prefix88b"})
    counts[same_start] = 1;
  CountTable table;
  for (const auto& [token, count] : counts) table.add(token, count);
  const SortedCounts sorted(std::move(table));
  const auto order = expected_order(counts);
  REQUIRE(sorted.size() == order.size());
  bool equal = true;
  for (std::size_t i = 0; i < order.size(); ++i)
    equal = equal && sorted[i].token == order[i].token && sorted[i].count == order[i].count;
  CHECK(equal);
  CHECK(SortedCounts(CountTable()).size() == 0);
}
