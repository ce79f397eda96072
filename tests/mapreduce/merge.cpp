#include "cairn/mapreduce/merge.hpp"

#include <algorithm>
#include <csignal>

#include "cairn/collectives/signals.hpp"
#include "cairn/core/error.hpp"
#include "shared_scratch.hpp"
#include "text.hpp"

using namespace cairn;
using namespace cairn::mapreduce;

namespace {

/// Tokens of rank r: many equal counts, so that ranks alternate; rank 1 has none, rank 2 a long
/// one.
test::Counts part_of(int rank) {
  test::Counts counts;
  if (rank == 1) return counts;
  for (int i = 0; i < 400; ++i)
    counts["t" + std::to_string(i) + "-" + std::to_string(rank)] =
        1 + Random(static_cast<std::uint64_t>(rank)).below(static_cast<std::uint64_t>(i), 20);
  if (rank == 2) counts[std::string(100000, 'L')] = 3;
  return counts;
}

SortedCounts sorted_part(const test::Counts& counts) {
  CountTable table;
  for (const auto& [token, count] : counts) table.add(token, count);
  return SortedCounts(std::move(table));
}

using Pairs = std::vector<std::pair<std::string, std::uint64_t>>;

Pairs expected_stream() {
  test::Counts all;
  for (int r = 0; r < test::world().size(); ++r) all.merge(part_of(r));
  Pairs pairs(all.begin(), all.end());
  std::sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) {
    return comes_before({a.first, a.second}, {b.first, b.second});
  });
  return pairs;
}

}  // namespace

TEST_CASE("one sorted stream on rank 0, in chunks of any size") {
  const auto& comm = test::world();
  const SortedCounts part = sorted_part(part_of(comm.rank()));
  for (const std::size_t chunk : {1, 7, 300, 1 << 20}) {
    Pairs got;
    const MergeOptions options{chunk, std::size_t{64} << 20};
    merge_sorted(
        comm, part,
        [&](const TokenCount& record) {
          got.emplace_back(record.token, record.count);
          return true;
        },
        options);
    CHECK(got == (comm.is_root() ? expected_stream() : Pairs()));
  }
}

TEST_CASE("rank 0 may have enough at any record") {
  const auto& comm = test::world();
  const SortedCounts part = sorted_part(part_of(comm.rank()));
  for (const std::size_t wanted : {1, 2, 50, 399}) {
    Pairs got;
    merge_sorted(comm, part,
                 [&](const TokenCount& record) {
                   got.emplace_back(record.token, record.count);
                   return got.size() < wanted;
                 },
                 {64, 1024});
    if (!comm.is_root()) continue;
    Pairs expected = expected_stream();
    expected.resize(wanted);
    CHECK(got == expected);
  }
}

TEST_CASE("an error while writing is thrown on every rank, however much is still to come") {
  const auto& comm = test::world();
  const SortedCounts part = sorted_part(part_of(comm.rank()));
  int left = 100;
  try {
    merge_sorted(comm, part,
                 [&](const TokenCount&) -> bool {
                   if (--left == 0)
                     throw Error(Errc::input_output, "write counts.tsv: No space left");
                   return true;
                 },
                 {64, 1024});
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.agreed());
    CHECK(error.code() == Errc::input_output);
  }
}

TEST_CASE("a request to stop at any rank ends the merge on all") {
  const auto& comm = test::world();
  const SortedCounts part = sorted_part(part_of(comm.rank()));
  if (comm.rank() == comm.size() - 1 && comm.rank() != 1) request_stop(SIGINT);
  if (comm.size() == 2) request_stop(comm.rank() == 0 ? SIGINT : 0);
  try {
    merge_sorted(comm, part, [](const TokenCount&) { return true; }, {64, 1024});
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.agreed());
    CHECK(error.code() == Errc::interrupted);
  }
  request_stop(0);
}

TEST_CASE("no tokens at all") {
  int calls = 0;
  merge_sorted(test::world(), sorted_part({}), [&](const TokenCount&) {
    ++calls;
    return true;
  });
  CHECK(calls == 0);
}
