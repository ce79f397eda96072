// Restart selection against a brute-force twin, and what it costs.

#include "cairn/consensus/selection.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "cairn/core/random.hpp"
#include "mpi_test.hpp"

using namespace cairn;
using namespace cairn::consensus;
using namespace cairn::test;

namespace {

/// More ranks than cores make every reduction dear.
const std::uint64_t cases = std::getenv("CAIRN_TEST_LONG") != nullptr ? 5000 : 240;

int reductions = 0;
int other_collectives = 0;

using Sets = std::vector<std::vector<ReadableEpoch>>;  // of each rank

/// Ranks that keep redundancy for each other. A rank in no set must have the epoch.
struct CoveringSet {
  enum class Rule : std::uint8_t {
    losses,   // any `losses` members may lack the epoch
    partner,  // member i keeps a copy for member i - 1 (cyclic): no two neighbours may lack it
  };
  std::vector<int> members = {};
  Rule rule = Rule::losses;
  int losses = 0;
};

bool covers(const CoveringSet& set, const std::vector<bool>& filled) {
  const auto lacks = [&](std::size_t i) {
    return !filled[static_cast<std::size_t>(set.members[i % set.members.size()])];
  };
  int lost = 0;
  bool are_neighbours_lost = false;
  for (std::size_t i = 0; i < set.members.size(); ++i) {
    lost += lacks(i) ? 1 : 0;
    are_neighbours_lost = are_neighbours_lost || (lacks(i) && lacks(i + 1));
  }
  return set.rule == CoveringSet::Rule::losses ? lost <= set.losses : !are_neighbours_lost;
}

/// Each rank is a place.
IsWhole covered_by(const std::vector<CoveringSet>& sets) {
  return [sets](std::uint64_t, const std::vector<bool>& filled) {
    auto is_needed = std::vector<bool>(filled.size(), true);
    for (const auto& set : sets)
      for (const int member : set.members) is_needed[static_cast<std::size_t>(member)] = false;
    bool is_whole = true;
    for (std::size_t r = 0; r < filled.size(); ++r)
      is_whole = is_whole && (filled[r] || !is_needed[r]);
    for (const auto& set : sets) is_whole = is_whole && covers(set, filled);
    return is_whole;
  };
}

std::vector<OfferedEpoch> offers_of(const std::vector<ReadableEpoch>& epochs) {
  std::vector<OfferedEpoch> offers;
  for (const auto& each : epochs) offers.push_back({each, {world().rank()}});
  return offers;
}

/// A history in which nobody confuses epochs: the digest follows from the number.
ReadableEpoch epoch(std::uint64_t number, std::uint64_t incarnation = 1) {
  return {incarnation, number, number * 1000003 + incarnation};
}
std::vector<ReadableEpoch> epochs(std::initializer_list<std::uint64_t> numbers) {
  std::vector<ReadableEpoch> all;
  for (const auto number : numbers) all.push_back(epoch(number));
  return all;
}

/// Epoch by epoch and rank by rank, as the definition says.
std::optional<ReadableEpoch> twin(const Sets& ranks, const std::vector<CoveringSet>& sets) {
  std::map<std::uint64_t, std::set<std::pair<std::uint64_t, std::uint64_t>>> meanings;
  for (const auto& rank : ranks)
    for (const auto& each : rank) meanings[each.epoch].insert({each.incarnation, each.digest});
  for (auto it = meanings.rbegin(); it != meanings.rend(); ++it) {
    const auto lacks = [&](int rank) {
      return std::none_of(ranks[static_cast<std::size_t>(rank)].begin(),
                          ranks[static_cast<std::size_t>(rank)].end(),
                          [&](const auto& each) { return each.epoch == it->first; });
    };
    bool is_good = it->second.size() == 1;
    std::set<int> covered;
    for (const auto& set : sets) {
      int lost = 0;
      for (std::size_t i = 0; i < set.members.size(); ++i) {
        covered.insert(set.members[i]);
        lost += lacks(set.members[i]) ? 1 : 0;
        const auto next = set.members[(i + 1) % set.members.size()];
        if (set.rule == CoveringSet::Rule::partner && lacks(set.members[i]) && lacks(next))
          is_good = false;
      }
      if (set.rule == CoveringSet::Rule::losses && lost > set.losses) is_good = false;
    }
    for (int rank = 0; rank < static_cast<int>(ranks.size()); ++rank)
      if (!covered.contains(rank) && lacks(rank)) is_good = false;
    if (is_good)
      return ReadableEpoch{it->second.begin()->first, it->first, it->second.begin()->second};
  }
  return std::nullopt;
}

std::optional<ReadableEpoch> selected(const Sets& ranks,
                                      const std::vector<CoveringSet>& sets = {}) {
  const auto mine = offers_of(ranks[static_cast<std::size_t>(world().rank())]);
  return select_restart(world(), mine, world().size(), covered_by(sets));
}

/// Random numbers of one case, the same on all ranks.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed, 0) {}
  std::uint64_t below(std::uint64_t bound) { return random_.below(next_++, bound); }

 private:
  Random random_;
  std::uint64_t next_ = 0;
};

std::vector<CoveringSet> random_sets(Dice& dice, int ranks) {
  std::vector<int> order;
  for (int r = 0; r < ranks; ++r)
    order.insert(order.begin() + static_cast<std::ptrdiff_t>(dice.below(order.size() + 1)), r);
  std::vector<CoveringSet> sets;
  while (!order.empty()) {
    const auto size = 1 + dice.below(order.size());
    CoveringSet set;
    set.members.assign(order.end() - static_cast<std::ptrdiff_t>(size), order.end());
    order.resize(order.size() - size);
    if (dice.below(4) == 0) continue;  // without redundancy
    if (dice.below(3) == 0) set.rule = CoveringSet::Rule::partner;
    set.losses = static_cast<int>(dice.below(3));
    sets.push_back(std::move(set));
  }
  return sets;
}

Sets random_epochs(Dice& dice, int ranks) {
  const auto first = 1 + dice.below(100);
  const auto span = 1 + dice.below(12);
  const auto density = 4 + dice.below(12);
  const auto confusion = dice.below(3) == 0 ? 10 : 0;
  Sets all(static_cast<std::size_t>(ranks));
  for (auto& rank : all)
    for (auto number = first; number < first + span; ++number)
      if (dice.below(16) < density)
        rank.push_back(epoch(number, confusion != 0 && dice.below(confusion) == 0 ? 2 : 1));
  return all;
}

}  // namespace

extern "C" int MPI_Allreduce(const void* in, void* out, int count, MPI_Datatype type, MPI_Op op,
                             MPI_Comm comm) {
  ++reductions;
  return PMPI_Allreduce(in, out, count, type, op, comm);
}
extern "C" int MPI_Allgather(const void* in, int n, MPI_Datatype type, void* out, int m,
                             MPI_Datatype other, MPI_Comm comm) {
  ++other_collectives;
  return PMPI_Allgather(in, n, type, out, m, other, comm);
}
extern "C" int MPI_Bcast(void* data, int n, MPI_Datatype type, int root, MPI_Comm comm) {
  ++other_collectives;
  return PMPI_Bcast(data, n, type, root, comm);
}

TEST_CASE("{4, 6} and {4, 5} give 4") {
  Sets ranks(static_cast<std::size_t>(world().size()), epochs({4}));
  ranks[0] = epochs({4, 6});
  for (std::size_t r = 1; r < ranks.size(); ++r) ranks[r] = epochs({4, 5});
  CHECK(selected(ranks) == (world().size() == 1 ? epoch(6) : epoch(4)));
}

TEST_CASE("it takes two reductions and nothing else") {
  const int p = world().size();
  Sets ranks(static_cast<std::size_t>(p), epochs({2, 3, 7}));
  CoveringSet all{.losses = 1};
  for (int r = 0; r < p; ++r) all.members.push_back(r);
  for (const auto& sets : {std::vector<CoveringSet>{}, {all}}) {
    reductions = 0;
    other_collectives = 0;
    CHECK(selected(ranks, sets) == epoch(7));
    CHECK(reductions == 2);
    CHECK(other_collectives == 0);
  }
}

TEST_CASE("nothing common is nothing, and an empty rank spoils it unless it is covered") {
  Sets ranks(static_cast<std::size_t>(world().size()), epochs({3, 4}));
  ranks.back().clear();
  CHECK(!selected(ranks));
  CoveringSet all{.losses = 1};
  for (int r = 0; r < world().size(); ++r) all.members.push_back(r);
  const auto expected = world().size() == 1 ? std::nullopt : std::optional(epoch(4));
  CHECK(selected(ranks, {all}) == expected);
  all.rule = CoveringSet::Rule::partner;
  CHECK(selected(ranks, {all}) == expected);
}

TEST_CASE("one number, two epochs: an older one is taken") {
  Sets ranks(static_cast<std::size_t>(world().size()), epochs({5, 8, 9}));
  ranks.back() = {epoch(5), epoch(8), epoch(9, 2)};
  CHECK(selected(ranks) == (world().size() == 1 ? epoch(9, 2) : epoch(8)));
  ranks.back()[1].digest ^= 1;
  CHECK(selected(ranks) == (world().size() == 1 ? epoch(9, 2) : epoch(5)));
}

TEST_CASE("windows reach back 64 epochs and are aligned; what lies below costs a reduction more") {
  Sets ranks(static_cast<std::size_t>(world().size()), epochs({7, 70}));
  CHECK(selected(ranks) == epoch(70));
  ranks.back() = epochs({7});
  CHECK(selected(ranks) == epoch(7));  // 63 below
  ranks[0] = epochs({7, 71});
  reductions = 0;
  CHECK(selected(ranks) == (world().size() == 1 ? epoch(71) : epoch(7)));  // 64 below
  CHECK(reductions == (world().size() == 1 ? 2 : 3));
  ranks[0] = epochs({7, 500, 1000, 2000});
  CHECK(selected(ranks) == (world().size() == 1 ? epoch(2000) : epoch(7)));
  // A place whose window is lower says nothing of what lies between.
  for (auto& rank : ranks) rank = epochs({5, 30});
  ranks[0] = epochs({5, 30, 100});
  CHECK(selected(ranks) == (world().size() == 1 ? epoch(100) : epoch(30)));
}

TEST_CASE("one rank fills several places, and several ranks fill one") {
  const int p = world().size();
  const int me = world().rank();
  const auto all = [](std::uint64_t, const std::vector<bool>& filled) {
    return std::find(filled.begin(), filled.end(), false) == filled.end();
  };
  std::vector<OfferedEpoch> mine{{epoch(3), {2 * me, 2 * me + 1}}};
  if (me != 0) mine.push_back({epoch(5), {2 * me, 2 * me + 1}});
  if (me == p - 1) mine.back().places.insert(mine.back().places.end(), {0, 1});
  mine.push_back({epoch(6), {}});  // nobody has anything of it
  CHECK(select_restart(world(), mine, 2 * p, all) == (p == 1 ? epoch(3) : epoch(5)));
}

TEST_CASE("random sets and redundancy, against the twin") {
  const int p = world().size();
  int found = 0;
  for (std::uint64_t seed = 0; seed < cases; ++seed) {
    Dice dice(seed);
    const auto sets = random_sets(dice, p);
    const auto ranks = random_epochs(dice, p);
    const auto expected = twin(ranks, sets);
    CAPTURE(seed);
    CHECK(selected(ranks, sets) == expected);
    found += expected ? 1 : 0;
  }
  CHECK(found > static_cast<int>(cases / 15));
  CHECK(found < static_cast<int>(cases));
}

TEST_CASE("what fails to be read is not there: the selection is repeated without it") {
  for (std::uint64_t seed = 0; seed < cases / 4; ++seed) {
    Dice dice(seed);
    const auto sets = random_sets(dice, world().size());
    auto ranks = random_epochs(dice, world().size());
    for (auto& rank : ranks)
      for (auto& each : rank) each = epoch(each.epoch);
    // Some of what the records promise is damaged.
    auto sound = ranks;
    for (auto& rank : sound) std::erase_if(rank, [&](const auto&) { return dice.below(6) == 0; });
    const auto me = static_cast<std::size_t>(world().rank());
    const auto has = [](const std::vector<ReadableEpoch>& all, const ReadableEpoch& one) {
      return std::find(all.begin(), all.end(), one) != all.end();
    };
    std::set<std::uint64_t> failed;  // for those the rank then relies on the others
    const auto chosen =
        restart_from(world(), offers_of(ranks[me]), world().size(), covered_by(sets),
                     [&](const ReadableEpoch& choice, std::vector<int>& places) {
                       const bool is_damaged = has(ranks[me], choice) && !has(sound[me], choice);
                       if (!is_damaged || !failed.insert(choice.epoch).second) return true;
                       places.clear();
                       return false;
                     });
    CAPTURE(seed);
    CHECK(chosen == twin(sound, sets));
  }
}

TEST_CASE("an epoch that the others cannot rebuild is given up by all") {
  const int p = world().size();
  if (p < 2) return;
  CoveringSet all{.losses = 1};
  for (int r = 0; r < p; ++r) all.members.push_back(r);
  const std::vector<CoveringSet> sets{all};
  auto mine = epochs({3, 4});
  if (world().rank() == 1) mine = epochs({3});
  int attempts = 0;
  const auto chosen = restart_from(world(), offers_of(mine), p, covered_by(sets),
                                   [&](const ReadableEpoch& choice, std::vector<int>&) {
                                     ++attempts;
                                     return choice.epoch != 4 || world().rank() != 1;
                                   });
  CHECK(chosen == epoch(3));
  CHECK(attempts == 2);
}
