// v-collectives whose counts and displacements have 64 bits: random parts against brute force, in
// every way, and with a limit that makes nearly every part one of a large count.

#include "cairn/collectives/wide_layout.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "cairn/collectives/async.hpp"
#include "cairn/collectives/fresh.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/random.hpp"
#include "ways.hpp"

using namespace cairn;
using namespace cairn::test;

namespace {

using Values = std::vector<std::int64_t>;
using Sizes = std::vector<std::size_t>;

constexpr std::int64_t untouched = -1;

/// Element i of what rank `from` has for rank `to`.
std::int64_t value(std::size_t from, std::size_t to, std::size_t i) {
  return static_cast<std::int64_t>((from * 100 + to) * 1000 + i);
}

/// What rank `from` has for rank `to`: nothing now and then.
std::size_t size_of_part(std::size_t from, std::size_t to, std::uint64_t trial) {
  const auto random = Random(trial, from * 64 + to).bits(0);
  return random % 4 == 0 ? 0 : random % 23;
}

Values part(std::size_t from, std::size_t to, std::uint64_t trial) {
  Values values(size_of_part(from, to, trial));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = value(from, to, i);
  return values;
}

/// Parts in an order other than that of the ranks, with gaps in between.
struct Places {
  explicit Places(Sizes sizes) : counts(std::move(sizes)), displacements(counts.size()) {
    for (std::size_t r = counts.size(); r-- > 0;) {
      total += 2;
      displacements[r] = total;
      total += counts[r];
    }
  }
  [[nodiscard]] WideLayout layout() const { return {counts, displacements}; }
  void put(Values& into, std::size_t r, const Values& what) const {
    std::copy(what.begin(), what.end(),
              into.begin() + static_cast<std::ptrdiff_t>(displacements[r]));
  }
  Sizes counts;
  Sizes displacements;
  std::size_t total = 0;
};

std::size_t ranks() { return static_cast<std::size_t>(world().size()); }
std::size_t me() { return static_cast<std::size_t>(world().rank()); }

}  // namespace

TEST_CASE("gather_v, all_gather_v and scatter_v of wide layouts") {
  const auto& comm = world();
  for (std::uint64_t trial = 0; trial < 8; ++trial) {
    Sizes sizes(ranks());
    for (std::size_t r = 0; r < ranks(); ++r) sizes[r] = size_of_part(r, 0, trial);
    const Places places(sizes);
    Values all(places.total, untouched);
    for (std::size_t r = 0; r < ranks(); ++r) places.put(all, r, part(r, 0, trial));
    const Values mine = part(me(), 0, trial);

    Values out(places.total);
    in_every_way(
        comm, [&] { std::fill(out.begin(), out.end(), untouched); },
        [&](const auto& way) { return all_gather_v(way, mine, out, places.layout()); },
        [&] { CHECK(out == all); });

    const int root = static_cast<int>(trial) % comm.size();
    const bool is_root = comm.is_root(root);
    Values at_root(is_root ? places.total : 0);
    const WideLayout layout = is_root ? places.layout() : WideLayout{};
    in_every_way(
        comm, [&] { std::fill(at_root.begin(), at_root.end(), untouched); },
        [&](const auto& way) { return gather_v(way, mine, at_root, layout, root); },
        [&] {
          if (is_root) CHECK(at_root == all);
        });
    Values back(mine.size());
    in_every_way(
        comm, [&] { std::fill(back.begin(), back.end(), untouched); },
        [&](const auto& way) { return scatter_v(way, at_root, layout, back, root); },
        [&] { CHECK(back == mine); });
  }
}

TEST_CASE("all_to_all_v of wide layouts") {
  const auto& comm = world();
  for (std::uint64_t trial = 0; trial < 8; ++trial) {
    Sizes to(ranks());
    Sizes from(ranks());
    for (std::size_t r = 0; r < ranks(); ++r) {
      to[r] = size_of_part(me(), r, trial);
      from[r] = size_of_part(r, me(), trial);
    }
    const Places sent(to);
    const Places received(from);
    Values in(sent.total, untouched);
    Values expected(received.total, untouched);
    for (std::size_t r = 0; r < ranks(); ++r) {
      sent.put(in, r, part(me(), r, trial));
      received.put(expected, r, part(r, me(), trial));
    }
    Values out(received.total);
    in_every_way(
        comm, [&] { std::fill(out.begin(), out.end(), untouched); },
        [&](const auto& way) {
          return all_to_all_v(way, in, sent.layout(), out, received.layout());
        },
        [&] { CHECK(out == expected); });
  }
}

TEST_CASE("reduce_scatter of wide counts") {
  for (std::uint64_t trial = 0; trial < 8; ++trial) {
    Sizes counts(ranks());
    for (std::size_t r = 0; r < ranks(); ++r) counts[r] = size_of_part(r, 1, trial);
    const std::size_t total = std::accumulate(counts.begin(), counts.end(), std::size_t{0});
    const std::size_t first = std::accumulate(
        counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(me()), std::size_t{0});
    Values in(total);
    for (std::size_t i = 0; i < total; ++i) in[i] = value(me(), 2, i);
    Values expected(counts[me()], 0);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      for (std::size_t r = 0; r < ranks(); ++r) expected[i] += value(r, 2, first + i);
    }
    Values out(expected.size());
    in_every_way(
        world(), [&] { std::fill(out.begin(), out.end(), untouched); },
        [&](const auto& way) {
          return reduce_scatter(way, in, out, std::span<const std::size_t>(counts));
        },
        [&] { CHECK(out == expected); });
  }
}

TEST_CASE("outputs of v-collectives are grown, or made, to where the last part ends") {
  const auto& comm = world();
  const auto check = [&](const auto& layout_of, const Sizes& sizes) {
    const Places places(sizes);
    const std::vector<int> counts(places.counts.begin(), places.counts.end());
    const std::vector<int> displacements(places.displacements.begin(), places.displacements.end());
    const auto layout = layout_of(places, counts, displacements);
    std::size_t end = 0;
    for (std::size_t r = 0; r < ranks(); ++r)
      end = std::max(end, places.displacements[r] + places.counts[r]);
    const Values mine = part(me(), 0, 3);
    Values all(end, 0);
    for (std::size_t r = 0; r < ranks(); ++r) places.put(all, r, part(r, 0, 3));
    Values grown;
    all_gather_v(comm, mine, into(grown), layout);
    const auto holds_all = [&](const Values& out) {
      if (out.size() != end) return false;
      for (std::size_t r = 0; r < ranks(); ++r) {
        const auto begin = static_cast<std::ptrdiff_t>(places.displacements[r]);
        const auto last = begin + static_cast<std::ptrdiff_t>(places.counts[r]);
        if (!std::equal(out.begin() + begin, out.begin() + last, all.begin() + begin)) return false;
      }
      return true;
    };
    CHECK(holds_all(grown));
    CHECK(holds_all(all_gather_v(comm, mine, fresh, layout)));
    const int root = comm.size() - 1;
    auto future =
        gather_v(async(comm), mine, fresh, comm.is_root(root) ? layout : decltype(layout){}, root);
    const Values at_root = future.wait();
    CHECK((comm.is_root(root) ? holds_all(at_root) : at_root.empty()));
  };
  Sizes sizes(ranks());
  for (std::size_t r = 0; r < ranks(); ++r) sizes[r] = size_of_part(r, 0, 3);
  check([](const Places& places, const auto&, const auto&) { return places.layout(); }, sizes);
  check(
      [](const Places&, const std::vector<int>& counts, const std::vector<int>& displacements) {
        return Layout{counts, displacements};
      },
      sizes);
}

TEST_CASE("what comes in an all_to_all_v may grow its output") {
  const std::vector<int> ones(ranks(), 1);
  std::vector<int> at(ranks());
  packed_displacements(ones, at);
  const Sizes wide_ones(ranks(), 1);
  const Sizes wide_at(at.begin(), at.end());
  const Values in(ranks(), static_cast<std::int64_t>(me()));
  Values expected(ranks());
  std::iota(expected.begin(), expected.end(), 0);
  Values out;
  all_to_all_v(world(), in, Layout{ones, at}, into(out), Layout{ones, at});
  CHECK(out == expected);
  const WideLayout wide{wide_ones, wide_at};
  CHECK(all_to_all_v(world(), in, wide, fresh, wide) == expected);
}

TEST_CASE("what an operation throws in a part of wide counts comes out of the call") {
  const Sizes counts(ranks(), 1);
  const Values in(ranks(), 1);
  // In the first part alone: the others must not cover it.
  for (std::size_t thrower = 0; thrower < ranks(); ++thrower) {
    Values marked = in;
    marked[thrower] = 7;
    int threw = 0;
    try {
      Values out(1);
      reduce_scatter(world(), marked, out, std::span<const std::size_t>(counts),
                     commutative([](std::int64_t a, std::int64_t b) {
                       if (a >= 7 || b >= 7) throw std::range_error("too far");
                       return a + b;
                     }));
    } catch (const std::range_error&) {
      threw = 1;
    }
    CHECK((all_reduce(world(), threw) >= 1) == (ranks() > 1));
  }
}

TEST_CASE("wide counts whose sum wraps are refused") {
  const std::size_t huge = std::numeric_limits<std::size_t>::max();
  const Values in(1);
  Values out(8);
  Sizes counts(ranks(), 2);
  counts[0] = huge;
  CHECK_THROWS_AS(reduce_scatter(world(), in, out, std::span<const std::size_t>(counts)), Error);
  Parts<std::int64_t> parts;
  CHECK_THROWS_AS(all_to_all_v(world(), in, std::span<const std::size_t>(counts), parts), Error);
  CHECK_THROWS_AS(parts.reshape(counts), Error);
  CHECK(parts.size() == 0);
}

TEST_CASE("a wide layout outside its buffer is refused, also where the sum of its numbers wraps") {
  const Values in(1);
  Values out(8);
  const std::size_t huge = std::numeric_limits<std::size_t>::max();
  for (const auto& [count, displacement] :
       {std::pair<std::size_t, std::size_t>{9, 0}, {1, 8}, {2, huge}, {huge, 2}, {huge, huge}}) {
    const Sizes counts(ranks(), count);
    const Sizes displacements(ranks(), displacement);
    CHECK_THROWS_AS(all_gather_v(world(), in, out, WideLayout{counts, displacements}), Error);
  }
  const Sizes one(ranks() + 1, 1);
  CHECK_THROWS_AS(all_gather_v(world(), in, out, WideLayout{one, one}), Error);
}
