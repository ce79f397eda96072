// Memory runs out at any allocation of a word count, on any rank.

#include <string>
#include <vector>

#include "allocations.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/core/error.hpp"
#include "cairn/mapreduce/word_count.hpp"
#include "shared_scratch.hpp"
#include "text.hpp"

using namespace cairn;
using namespace cairn::mapreduce;

namespace {

/// All counts, on rank 0. Small rounds and chunks, so that each is passed more than once.
test::Counts count(const InputList& list) {
  const auto& comm = test::world();
  ReadStatistics read;
  CountTable owned = shuffle(comm, count_tokens(comm, list, read), {600});
  const auto part = together(comm, [&] { return SortedCounts(std::move(owned)); });
  test::Counts counts;
  merge_sorted(comm, part,
               [&](const TokenCount& record) {
                 counts.emplace(record.token, record.count);
                 return true;
               },
               {500, 2000});
  return counts;
}

/// Whether all ranks got through when the n-th allocation on `victim` failed. What one rank alone
/// throws leaves the test case, which ends the job.
bool gets_through(const std::vector<std::string>& inputs, const test::Counts& expected, int victim,
                  long n) {
  const auto& comm = test::world();
  const auto arm = [&] { test::fail_allocation(n); };
  try {
    // Not while rank 0 walks through folders: std::filesystem allocates in noexcept functions.
    if (comm.rank() == victim && !comm.is_root()) arm();
    const InputList list = list_inputs(comm, inputs);
    if (comm.rank() == victim && comm.is_root()) arm();
    const auto counts = count(list);
    test::fail_allocation(0);
    if (comm.is_root()) CHECK(counts == expected);
    return true;
  } catch (const Error& error) {
    test::fail_allocation(0);
    if (!error.agreed()) throw;
    CHECK(error.code() == Errc::unavailable);
    CHECK(std::string(error.what()).find("out of memory") != std::string::npos);
    return false;
  }
}

}  // namespace

TEST_CASE("out of memory at any allocation of any rank is one agreed error") {
  const auto& comm = test::world();
  const test::SharedScratch scratch;
  std::string text = std::string(900, 'L') + " ";
  for (int i = 0; i < 300; ++i) text += "word" + std::to_string(i % 150) + "\n";
  scratch.file("in/a", text);
  scratch.file("in/b", "a few words more");
  test::Counts expected;
  test::count_into(expected, text);
  test::count_into(expected, "a few words more");
  const std::vector<std::string> inputs{scratch / "in"};
  for (int victim = 0; victim < comm.size(); ++victim) {
    long n = 1;
    while (!gets_through(inputs, expected, victim, n)) ++n;
    CHECK(n > 20);
  }
}

TEST_CASE("the shuffle keeps some rounds of what goes through it") {
  const auto& comm = test::world();
  constexpr std::size_t round_bytes = 1 << 16;
  CountTable table;
  for (int i = 0; i < 1 << 14; ++i) {
    std::string token = std::to_string(comm.rank()) + "/" + std::to_string(i);
    token.resize(1000, '.');
    table.add(token, 1);
  }
  (void)test::largest_allocation();
  (void)shuffle(comm, std::move(table), {round_bytes});
  // Blocks of the new table's arena and its slots are below that; the records that leave are 16
  // MiB.
  CHECK(test::largest_allocation() <= std::size_t{3} << 20);
}
