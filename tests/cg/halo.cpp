#include "halo.hpp"

#include <set>

#include "twin.hpp"

using namespace cairn;
using namespace cairn::cg;

namespace {

constexpr double unset = -1e300;

double value_of(std::uint64_t global, int round) {
  return static_cast<double>(global) * 1.5 + 1e6 * round;
}

/// A halo whose ghosts are `ghosts`: layout, and two exchanges.
void check_halo(const Communicator& comm, const RowPartition& partition,
                const std::set<std::uint64_t>& ghosts) {
  Halo halo(comm, partition, {ghosts.begin(), ghosts.end()});
  const auto first = partition.first(comm.rank());
  const auto last = partition.last(comm.rank());
  CHECK(halo.own() == partition.count(comm.rank()));
  CHECK(halo.ghosts() == ghosts.size());

  auto all = ghosts;
  for (auto row = first; row < last; ++row) all.insert(row);
  CHECK(halo.extended() == all.size());
  std::size_t place = 0;
  for (const auto global : all) CHECK(halo.local(global) == place++);  // global order

  for (int round = 0; round < 2; ++round) {
    std::vector<double> extended(halo.extended(), unset);
    const auto own = halo.own_part(extended);
    CHECK(own.data() == extended.data() + halo.below());
    for (std::size_t i = 0; i < own.size(); ++i) own[i] = value_of(first + i, round);
    halo.exchange(extended);
    std::size_t wrong = 0;
    place = 0;
    for (const auto global : all) wrong += extended[place++] != value_of(global, round) ? 1 : 0;
    CHECK(wrong == 0);
  }
}

}  // namespace

TEST_CASE("ghosts come from their owners, in global order: none, random, and all of them") {
  const auto& comm = cairn::test::world();
  const auto ranks = static_cast<std::uint64_t>(comm.size());
  for (const std::uint64_t n : {std::uint64_t{1}, ranks, 5 * ranks + 3, std::uint64_t{400}}) {
    const auto partition =
        balanced_rows(n, comm.size(), [](std::uint64_t k) { return k * (k + 1); });
    const auto is_own = [&](std::uint64_t row) { return partition.owner(row) == comm.rank(); };
    std::set<std::uint64_t> all;
    for (std::uint64_t row = 0; row < n; ++row) {
      if (!is_own(row)) all.insert(row);
    }
    check_halo(comm, partition, {});
    check_halo(comm, partition, all);
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      const Random random(seed, static_cast<std::uint64_t>(comm.rank()));
      std::set<std::uint64_t> some;
      for (const auto row : all) {
        if (random.uniform(row) < 0.3) some.insert(row);
      }
      check_halo(comm, partition, some);
    }
    // One-sided: the last rank needs everything, the others nothing.
    check_halo(comm, partition, comm.rank() == comm.size() - 1 ? all : std::set<std::uint64_t>{});
  }
}
