// Operations of the caller's: state, two of them alive at once, order, exceptions, structs.

#include "cairn/collectives/operation.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/async.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/plan.hpp"
#include "cairn/core/error.hpp"
#include "mpi_test.hpp"
#include "ways.hpp"

using namespace cairn;

namespace {

/// x → slope · x + offset over the integers; composition is associative and does not commute.
struct Map {
  std::int64_t slope;
  std::int64_t offset;
  bool operator==(const Map&) const = default;
};
Map then(const Map& first, const Map& second) {
  return {second.slope * first.slope, second.slope * first.offset + second.offset};
}
Map map_of(int rank) { return {rank % 2 + 1, rank - 2}; }

/// Saturating addition: the state is the limit.
struct Saturating {
  int limit;
  int operator()(int a, int b) const { return a + b > limit ? limit : a + b; }
};

/// Aligned more strictly than the memory that MPI allocates.
struct alignas(64) Line {
  std::array<std::int64_t, 8> at;
  bool operator==(const Line&) const = default;
};
bool is_aligned(const Line& line) {
  return reinterpret_cast<std::uintptr_t>(&line) % alignof(Line) == 0;
}

}  // namespace

template <>
inline constexpr auto cairn::members_of<Line> = cairn::Members<&Line::at>{};
template <>
inline constexpr auto cairn::members_of<Map> = cairn::Members<&Map::slope, &Map::offset>{};

TEST_CASE("an ordered operation keeps the order of the ranks") {
  const auto& comm = test::world();
  Map all = map_of(0);
  Map mine = map_of(0);
  Map before_mine{};
  for (int r = 1; r < comm.size(); ++r) {
    if (r == comm.rank()) before_mine = all;
    all = then(all, map_of(r));
    if (r == comm.rank()) mine = all;
  }
  std::vector<Map> maps(7);
  test::in_every_way(
      comm, [&] { std::fill(maps.begin(), maps.end(), map_of(comm.rank())); },
      [&](const auto& way) { return all_reduce(way, maps, ordered(then)); },
      [&] { CHECK(maps == std::vector<Map>(7, all)); });
  test::in_every_way(
      comm, [&] { std::fill(maps.begin(), maps.end(), map_of(comm.rank())); },
      [&](const auto& way) { return scan(way, maps, ordered(then)); },
      [&] { CHECK(maps == std::vector<Map>(7, mine)); });
  const std::vector<Map> before(7, before_mine);
  test::in_every_way(
      comm, [&] { std::fill(maps.begin(), maps.end(), map_of(comm.rank())); },
      [&](const auto& way) { return exscan(way, maps, ordered(then)); },
      [&] { CHECK((comm.is_root() || maps == before)); });
  for (int root = 0; root < comm.size(); ++root) {
    std::vector<Map> out(comm.is_root(root) ? 7 : 0);
    const std::vector<Map> in(7, map_of(comm.rank()));
    test::in_every_way(
        comm, [&] { std::fill(out.begin(), out.end(), Map{}); },
        [&](const auto& way) { return reduce(way, in, out, root, ordered(then)); },
        [&] { CHECK(out == std::vector<Map>(out.size(), all)); });
  }
}

TEST_CASE("an ordered operation keeps the order of the ranks where its results are dealt") {
  const auto& comm = test::world();
  const auto p = static_cast<std::size_t>(comm.size());
  // Part r has r % 3 elements, or 2 each; element i of all is another map than its neighbours.
  const auto map_at = [](int rank, std::size_t i) {
    return Map{map_of(rank).slope, map_of(rank).offset + static_cast<std::int64_t>(i)};
  };
  const auto reduced_at = [&](std::size_t i) {
    Map all = map_at(0, i);
    for (int r = 1; r < comm.size(); ++r) all = then(all, map_at(r, i));
    return all;
  };
  std::vector<int> counts(p);
  std::size_t total = 0;
  std::size_t own_first = 0;
  for (std::size_t r = 0; r < p; ++r) {
    counts[r] = static_cast<int>(r % 3);
    if (r < static_cast<std::size_t>(comm.rank())) own_first += r % 3;
    total += r % 3;
  }
  std::vector<Map> in(2 * p);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = map_at(comm.rank(), i);
  std::vector<Map> out(2);
  const auto clear = [&] { std::fill(out.begin(), out.end(), Map{}); };
  const auto check_from = [&](std::size_t first) {
    for (std::size_t i = 0; i < out.size(); ++i) CHECK(out[i] == reduced_at(first + i));
  };
  test::in_every_way(
      comm, clear,
      [&](const auto& way) { return reduce_scatter_block(way, in, out, ordered(then)); },
      [&] { check_from(2 * static_cast<std::size_t>(comm.rank())); });
  in.resize(total);
  out.resize(static_cast<std::size_t>(comm.rank()) % 3);
  test::in_every_way(
      comm, clear,
      [&](const auto& way) {
        return reduce_scatter(way, in, out, std::span<const int>(counts), ordered(then));
      },
      [&] { check_from(own_first); });
}

TEST_CASE("state is each operation's own, also of the same type and under way at once") {
  const auto& comm = test::world();
  const int p = comm.size();
  for (const int limit : {1, 2, 1000}) {
    CHECK(all_reduce(comm, 1, commutative(Saturating{limit})) == std::min(p, limit));
    const auto lambda = [limit](int a, int b) { return a + b > limit ? limit : a + b; };
    CHECK(all_reduce(comm, 1, commutative(lambda)) == std::min(p, limit));
  }
  // Started in one order, waited for in another.
  std::vector<Future<std::vector<int>>> futures;
  for (int limit = 1; limit <= 20; ++limit) {
    futures.push_back(
        all_reduce(async(comm), std::vector<int>(300, 1), commutative(Saturating{limit})));
  }
  for (int limit = 20; limit >= 1; --limit) {
    CHECK(futures[static_cast<std::size_t>(limit - 1)].wait() ==
          std::vector<int>(300, std::min(p, limit)));
  }
}

TEST_CASE("an operation on over-aligned structs gets aligned arguments") {
  const auto& comm = test::world();
  const auto line_of = [](int rank, std::size_t i) {
    Line line{};
    for (std::size_t k = 0; k < 8; ++k) {
      line.at[k] = rank + static_cast<std::int64_t>(10 * i + k);
    }
    return line;
  };
  bool all_aligned = true;
  const auto plus = [&](const Line& a, const Line& b) {
    all_aligned = all_aligned && is_aligned(a) && is_aligned(b);
    Line sum{};
    for (std::size_t k = 0; k < 8; ++k) sum.at[k] = a.at[k] + b.at[k];
    return sum;
  };
  for (const std::size_t n : {1U, 3U, 50U, 300U}) {
    std::vector<Line> lines(n);
    std::vector<Line> total(n, Line{});
    for (int r = 0; r < comm.size(); ++r) {
      for (std::size_t i = 0; i < n; ++i) total[i] = plus(total[i], line_of(r, i));
    }
    const auto fill = [&] {
      for (std::size_t i = 0; i < n; ++i) lines[i] = line_of(comm.rank(), i);
    };
    test::in_every_way(
        comm, fill, [&](const auto& way) { return all_reduce(way, lines, commutative(plus)); },
        [&] { CHECK(lines == total); });
    test::in_every_way(
        comm, fill, [&](const auto& way) { return all_reduce(way, lines, ordered(plus)); },
        [&] { CHECK(lines == total); });
    test::in_every_way(
        comm, fill, [&](const auto& way) { return scan(way, lines, ordered(plus)); },
        [&] { CHECK((comm.rank() + 1 < comm.size() || lines == total)); });
  }
  CHECK(all_aligned);
}

TEST_CASE("an operation may change its state") {
  const auto& comm = test::world();
  int calls = 0;
  const std::vector<int> sums =
      all_reduce(comm, std::vector<int>(10, 1), commutative([&calls](int a, int b) {
                   ++calls;
                   return a + b;
                 }));
  CHECK(sums == std::vector<int>(10, comm.size()));
  CHECK((all_reduce(comm, calls) > 0) == (comm.size() > 1));
}

TEST_CASE("more operations under way than there are places is an error, and places come back") {
  const auto& comm = test::world();
  const auto plus = [](int a, int b) { return a + b; };
  std::vector<Future<int>> futures;
  for (int i = 0; i < 64; ++i) futures.push_back(all_reduce(async(comm), i, commutative(plus)));
  CHECK_THROWS_WITH_AS((void)all_reduce(comm, 1, commutative(plus)),
                       doctest::Contains("64 reductions"), Error);
  for (int i = 0; i < 64; ++i)
    CHECK(futures[static_cast<std::size_t>(i)].wait() == i * comm.size());
  futures.clear();
  for (int i = 0; i < 200; ++i) CHECK(all_reduce(comm, 1, commutative(plus)) == comm.size());
}

TEST_CASE("a plan has a place between start() and wait() only") {
  const auto& comm = test::world();
  const auto plus = [](int a, int b) { return a + b; };
  std::vector<std::vector<int>> x(100, std::vector<int>(3));
  std::vector<Plan<>> plans;
  for (auto& elements : x) plans.push_back(all_reduce(plan(comm), elements, commutative(plus)));
  for (int repetition = 0; repetition < 2; ++repetition) {
    for (std::size_t i = 0; i < plans.size(); ++i) {
      x[i].assign(3, 1);
      plans[i].start();
      plans[i].wait();
      CHECK(x[i] == std::vector<int>(3, comm.size()));
    }
  }
  CHECK(all_reduce(comm, 1, commutative(plus)) == comm.size());
}

TEST_CASE("what an operation throws comes out of the call, on the ranks where it threw") {
  const auto& comm = test::world();
  int threw = 0;
  try {
    (void)all_reduce(comm, 1,
                     commutative([](int, int) -> int { throw std::range_error("too far"); }));
  } catch (const std::range_error&) {
    threw = 1;
  }
  const int throwers = all_reduce(comm, threw);
  CHECK(throwers <= comm.size());
  CHECK((throwers >= 1) == (comm.size() > 1));
}

TEST_CASE("what an operation throws inside together() comes out of it on all ranks") {
  const auto& comm = test::world();
  const auto reduce = [&] {
    return all_reduce(comm, 1,
                      commutative([](int, int) -> int { throw std::range_error("too far"); }));
  };
  if (comm.size() == 1) return;
  CHECK_THROWS_WITH_AS((void)together(comm, reduce), doctest::Contains("too far"), Error);
}

TEST_CASE("what an operation throws comes out of wait(), once, and the next call is clean") {
  const auto& comm = test::world();
  const auto is_thrown = [](const auto& wait) {
    try {
      wait();
    } catch (const std::range_error&) {
      return 1;
    }
    return 0;
  };
  bool throws = true;
  int calls = 0;
  const auto plus = [&](int a, int b) {
    ++calls;
    if (throws) throw std::range_error("too far");
    return a + b;
  };
  std::vector<int> x(3, 1);
  auto future = all_reduce(async(comm), x, commutative(plus));
  const int out_of_future = is_thrown([&] { future.wait(); });
  CHECK(calls == out_of_future);  // no second element after an error
  auto planned = all_reduce(plan(comm), x, commutative(plus));
  planned.start();
  const int out_of_plan = is_thrown([&] { planned.wait(); });
  CHECK(is_thrown([&] { planned.wait(); }) == 0);
  CHECK((all_reduce(comm, out_of_future) >= 1) == (comm.size() > 1));
  CHECK((all_reduce(comm, out_of_plan) >= 1) == (comm.size() > 1));
  throws = false;
  x.assign(3, 1);
  planned.start();
  CHECK(is_thrown([&] { planned.wait(); }) == 0);
  CHECK(x == std::vector<int>(3, comm.size()));
}

TEST_CASE("what an operation threw goes with a future that nobody waits for") {
  const auto& comm = test::world();
  std::vector<int> x(3, 1);
  {
    auto future = all_reduce(
        async(comm), x, commutative([](int, int) -> int { throw std::range_error("too far"); }));
    while (!future.test()) {
    }
  }
  CHECK(all_reduce(comm, 1, commutative([](int a, int b) { return a + b; })) == comm.size());
}

TEST_CASE("every named operation, against what it means") {
  const auto& comm = test::world();
  const auto contribution = [](int rank) {
    std::vector<int> x(5);
    for (int i = 0; i < 5; ++i) x[static_cast<std::size_t>(i)] = (rank * 5 + i * 3) % 4;
    return x;
  };
  const auto agree = [&](auto op, auto meaning) {
    auto expected = contribution(0);
    for (int r = 1; r < comm.size(); ++r) {
      const auto theirs = contribution(r);
      for (std::size_t i = 0; i < 5; ++i) expected[i] = meaning(expected[i], theirs[i]);
    }
    const std::vector<int> reduced = all_reduce(comm, contribution(comm.rank()), op);
    CHECK((comm.size() == 1 || reduced == expected));
    for (const int a : {0, 1, 2, 3}) {
      for (const int b : {0, 1, 2, 3}) CHECK(op(a, b) == meaning(a, b));
    }
  };
  agree(Sum{}, [](int a, int b) { return a + b; });
  agree(Product{}, [](int a, int b) { return a * b; });
  agree(Minimum{}, [](int a, int b) { return std::min(a, b); });
  agree(Maximum{}, [](int a, int b) { return std::max(a, b); });
  agree(LogicalAnd{}, [](int a, int b) { return a != 0 && b != 0 ? 1 : 0; });
  agree(LogicalOr{}, [](int a, int b) { return a != 0 || b != 0 ? 1 : 0; });
  agree(LogicalXor{}, [](int a, int b) { return (a != 0) != (b != 0) ? 1 : 0; });
  agree(BitAnd{}, [](int a, int b) { return a & b; });
  agree(BitOr{}, [](int a, int b) { return a | b; });
  agree(BitXor{}, [](int a, int b) { return a ^ b; });
}

TEST_CASE("named operations cover what MPI defines, types of one byte included") {
  const auto& comm = test::world();
  CHECK(all_reduce(comm, 'a', Maximum{}) == 'a');
  CHECK(all_reduce(comm, true, LogicalAnd{}));
  CHECK(all_reduce(comm, std::byte{0x81}, BitOr{}) == std::byte{0x81});
  CHECK(all_reduce(comm, 1.5L) == 1.5L * comm.size());
  CHECK(all_reduce(comm, std::uint8_t{1}, Product{}) == 1);
  CHECK(all_reduce(comm, std::int16_t{-3}, Minimum{}) == -3);
  CHECK(all_reduce(comm, comm.rank() == 0, LogicalXor{}));
}
