#include "cairn/mapreduce/shuffle.hpp"

#include <csignal>

#include "cairn/collectives/signals.hpp"
#include "cairn/core/error.hpp"
#include "shared_scratch.hpp"
#include "text.hpp"

using namespace cairn;
using namespace cairn::mapreduce;

namespace {

/// What rank r brings: common words, words of its own, and one that is long.
test::Counts share_of(int rank) {
  test::Counts counts;
  for (int i = 0; i < 300; ++i)
    counts["common" + std::to_string(i)] = 1 + static_cast<std::uint64_t>(rank);
  for (int i = 0; i < 50 * rank; ++i) counts[std::to_string(rank) + "own" + std::to_string(i)] = 7;
  counts[std::string(5000, static_cast<char>('a' + rank))] = 1;
  counts[std::string("\0\xff", 2)] = 1ULL << 60;
  return counts;
}

CountTable table_of(const test::Counts& counts) {
  CountTable table;
  for (const auto& [token, count] : counts) table.add(token, count);
  return table;
}

}  // namespace

TEST_CASE("each token ends on its owner with the sum of all counts, in rounds of any size") {
  const auto& comm = test::world();
  test::Counts expected;
  for (int r = 0; r < comm.size(); ++r)
    for (const auto& [token, count] : share_of(r))
      if (owner_of(token_hash(token), comm.size()) == comm.rank()) expected[token] += count;
  for (const std::size_t round_bytes : {1, 20, 100, 1 << 20}) {
    const bool slow = round_bytes == 1;  // a byte a round: a small share is enough
    const CountTable table =
        shuffle(comm, table_of(slow ? test::Counts{{"ab", 1}, {"cde", 2}} : share_of(comm.rank())),
                {round_bytes});
    test::Counts got;
    for (const auto& slot : table.slots())
      if (slot.record != nullptr) got[std::string(slot.record->token())] = slot.record->count;
    if (slow) {
      test::Counts few;
      const auto p = static_cast<std::uint64_t>(comm.size());
      if (owner_of(token_hash("ab"), comm.size()) == comm.rank()) few["ab"] = p;
      if (owner_of(token_hash("cde"), comm.size()) == comm.rank()) few["cde"] = 2 * p;
      CHECK(got == few);
    } else {
      CHECK(got == expected);
    }
    CHECK(table.distinct() == got.size());
  }
}

TEST_CASE("owners are ranks, and every rank owns about its share") {
  for (const int ranks : {1, 2, 3, 7, 1000}) {
    std::vector<int> owned(static_cast<std::size_t>(ranks));
    const int tokens = 200 * ranks;
    for (int i = 0; i < tokens; ++i)
      ++owned.at(static_cast<std::size_t>(owner_of(token_hash(std::to_string(i)), ranks)));
    for (const int n : owned) CHECK((n > 100 && n < 300) == true);
  }
  CHECK(owner_of(~0ULL, 7) == 6);
}

TEST_CASE("a request to stop at one rank ends the shuffle on all") {
  const auto& comm = test::world();
  if (comm.size() == 1) return;  // one rank has nothing to exchange
  if (comm.rank() == comm.size() - 1) request_stop(SIGTERM);
  try {
    (void)shuffle(comm, table_of(share_of(comm.rank())));
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.agreed());
    CHECK(error.code() == Errc::run_again);
  }
  request_stop(0);
}
