// exact_sum and exact_dot over ranks: equal everywhere, whatever the distribution.

#include <mpi.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/exact_async.hpp"
#include "cairn/collectives/exact_sum.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/random.hpp"
#include "exact_twin.hpp"
#include "mpi_test.hpp"

using namespace cairn;

namespace {

using Limits = std::numeric_limits<double>;

/// Terms over the full range of exponents, most of which cancel; the same on every rank.
std::vector<double> global_terms(std::uint64_t seed, std::size_t n) {
  const Random random(seed, 7);
  std::vector<double> terms;
  while (terms.size() + 1 < n) {
    const std::uint64_t i = terms.size();
    const int exponent = static_cast<int>(random.below(i, 2045)) - 1074;
    const double x = std::ldexp(static_cast<double>(random.bits(i + n) >> 11), exponent);
    terms.push_back(x);
    if (i % 10 != 0) terms.push_back(-x);
  }
  return terms;
}

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

/// Whether every rank holds the same bits.
bool equal_everywhere(const Communicator& comm, double x) {
  const auto bits = std::bit_cast<std::uint64_t>(x);
  return all_reduce(comm, bits, Minimum{}) == all_reduce(comm, bits, Maximum{});
}

/// This rank's part of `all` under one of several distributions.
std::vector<double> part_of(const std::vector<double>& all, const Communicator& comm, int kind) {
  std::vector<double> mine;
  const auto p = static_cast<std::size_t>(comm.size());
  const auto r = static_cast<std::size_t>(comm.rank());
  const auto block = block_range(all.size(), comm.size(), comm.rank());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool by_block = i >= block.first && i < block.first + block.count;
    const bool owned = kind == 0   ? by_block
                       : kind == 1 ? i % p == r
                       : kind == 2 ? Random(1, 2).below(i, p) == r
                                   : comm.rank() == comm.size() - 1;  // all but one rank are empty
    if (owned) mine.push_back(all[i]);
  }
  if (kind == 1) return {mine.rbegin(), mine.rend()};
  return mine;
}

}  // namespace

TEST_CASE("exact_sum does not depend on the distribution") {
  const auto& comm = test::world();
  for (const std::size_t n : {0u, 1u, 5u, 100u, 4000u}) {
    const auto all = global_terms(n, n);
    test::ExactTwin twin;
    twin.add(all);
    ExactSum local;
    local.add(all);
    for (int kind = 0; kind < 4; ++kind) {
      const double sum = exact_sum(comm, part_of(all, comm, kind));
      CHECK(twin.is_nearest(sum));
      CHECK(same_bits(sum, local.round()));
      CHECK(equal_everywhere(comm, sum));
    }
  }
}

TEST_CASE("exact_dot does not depend on the distribution") {
  const auto& comm = test::world();
  const auto a = global_terms(1, 300);
  const auto b = global_terms(2, 300);
  const std::size_t n = std::min(a.size(), b.size());
  test::ExactTwin twin;
  for (std::size_t i = 0; i < n; ++i) twin.add_product(a[i], b[i]);
  for (int kind = 0; kind < 4; ++kind) {
    const auto mine_a =
        part_of({a.begin(), a.begin() + static_cast<std::ptrdiff_t>(n)}, comm, kind);
    const auto mine_b =
        part_of({b.begin(), b.begin() + static_cast<std::ptrdiff_t>(n)}, comm, kind);
    const double dot = exact_dot(comm, mine_a, mine_b);
    CHECK(twin.is_nearest(dot));
    CHECK(equal_everywhere(comm, dot));
  }
}

TEST_CASE("special values on single ranks decide for all") {
  const auto& comm = test::world();
  const double infinity = Limits::infinity();
  const auto sum_with = [&](double first, double last, double others) {
    std::vector<double> mine{others};
    if (comm.is_root(comm.size() - 1)) mine = {last};
    if (comm.is_root()) mine.push_back(first);
    return exact_sum(comm, mine);
  };
  CHECK(std::isnan(sum_with(infinity, -infinity, 1.0)));
  CHECK(std::isnan(sum_with(Limits::quiet_NaN(), infinity, 1.0)));
  CHECK(sum_with(infinity, infinity, -1.0) == infinity);
  CHECK(sum_with(1.0, -infinity, Limits::max()) == -infinity);
  CHECK(same_bits(sum_with(-0.0, -0.0, -0.0), -0.0));
  CHECK(same_bits(sum_with(-0.0, 0.0, -0.0), 0.0));
  CHECK(same_bits(sum_with(1.0, -1.0, -0.0), 0.0));
  CHECK(same_bits(sum_with(Limits::denorm_min(), -0.0, 0.0), Limits::denorm_min()));
}

TEST_CASE("empty ranks are neutral") {
  const auto& comm = test::world();
  CHECK(same_bits(exact_sum(comm, {}), 0.0));
  const double minus_zero = -0.0;
  const std::span<const double> one(&minus_zero, comm.is_root(comm.size() - 1) ? 1 : 0);
  CHECK(same_bits(exact_sum(comm, one), -0.0));
}

TEST_CASE("intermediate overflow between ranks is impossible") {
  const auto& comm = test::world();
  // Every rank but the last holds +max, the last one takes all but half a step away again.
  std::vector<double> mine{Limits::max()};
  if (comm.is_root(comm.size() - 1)) {
    mine.assign(static_cast<std::size_t>(comm.size()) - 1, -Limits::max());
    mine.push_back(3.0);
  }
  CHECK(exact_sum(comm, mine) == 3.0);
}

TEST_CASE("all_reduce merges sums that have carries pending, and the result can go on") {
  const auto& comm = test::world();
  ExactSum local;
  local.add(-1.0 - comm.rank());
  local.add(Limits::denorm_min());
  constexpr int doublings = 30;  // 2^30 additions: digits at their limit
  for (int i = 0; i < doublings; ++i) local.merge(local);
  ExactSum total = all_reduce(comm, local);
  const double p = comm.size();
  CHECK(total.round() == -std::ldexp(p * (p + 1) / 2, doublings));
  for (int i = 0; i < 33; ++i) total.merge(total);
  total.add_product(std::ldexp(p * (p + 1) / 2, doublings), std::ldexp(1.0, 33));
  CHECK(total.round() == std::ldexp(p * Limits::denorm_min(), doublings + 33));
  CHECK(equal_everywhere(comm, total.round()));
}

TEST_CASE("digits at their limit on every rank") {
  const auto& comm = test::world();
  const double full_digit = std::ldexp(std::ldexp(1.0, 53) - 1, 32 * 30 - 1074);
  for (const double sign : {1.0, -1.0}) {
    ExactSum local;
    local.add(sign * full_digit);
    for (int i = 0; i < 30; ++i) local.merge(local);
    ExactSum expected;
    expected.add_product(sign * full_digit, std::ldexp(1.0, 30) * comm.size());
    CHECK(same_bits(all_reduce(comm, local).round(), expected.round()));
  }
}

TEST_CASE("exact_norm does not depend on the distribution, nor overflow or underflow") {
  const auto& comm = test::world();
  for (const double scale : {1.0, 1e300, 1e-300, Limits::denorm_min()}) {
    std::vector<double> all(400, 0.0);
    for (std::size_t i = 0; i < 100; ++i) all[3 * i] = i % 2 == 0 ? 3 * scale : -4 * scale;
    for (int kind = 0; kind < 4; ++kind) {
      const double norm = exact_norm(comm, part_of(all, comm, kind));  // √(50 · 25) = 5 √50
      test::ExactTwin twin;
      twin.add_products(all, all);
      CHECK(twin.is_nearest_root(norm));
      CHECK(equal_everywhere(comm, norm));
    }
  }
  CHECK(same_bits(exact_norm(comm, {}), 0.0));
  const std::vector<double> special{1.0, comm.is_root() ? -Limits::infinity() : 2.0};
  CHECK(exact_norm(comm, special) == Limits::infinity());
}

TEST_CASE("many terms on threads give the same bits as on one") {
  const auto& comm = test::world();
  const auto n = 1000 + static_cast<std::size_t>(comm.rank()) * 37;
  const auto a = global_terms(3, n);
  const auto b = global_terms(4, n);
  const std::size_t common = std::min(a.size(), b.size());
  const auto x = std::span(a).first(common);
  const auto y = std::span(b).first(common);
  const double sum = exact_sum(comm, x, {.threads = 1});
  const double dot = exact_dot(comm, x, y, {.threads = 1});
  const double norm = exact_norm(comm, x, {.threads = 1});
  for (const int threads : {0, 2, 3}) {
    CHECK(same_bits(exact_sum(comm, x, {.threads = threads}), sum));
    CHECK(same_bits(exact_dot(comm, x, y, {.threads = threads}), dot));
    CHECK(same_bits(exact_norm(comm, x, {.threads = threads}), norm));
  }
}

TEST_CASE("a vector of sums is merged element by element, across MPI messages") {
  const auto& comm = test::world();
  for (const std::size_t m : {0u, 1u, 7u, 2000u}) {
    std::vector<ExactSum> sums(m);
    std::vector<ExactSum> expected(m);
    for (std::size_t i = 0; i < m; ++i) {
      for (int rank = 0; rank < comm.size(); ++rank) {
        const double x = std::ldexp(1.0 + rank, static_cast<int>(i % 1900) - 950);
        const double y = i % 3 == 0 ? -x : x / 3;
        expected[i].add_product(x, y);
        if (rank == comm.rank()) sums[i].add_product(x, y);
      }
    }
    all_reduce(comm, sums);
    bool equal = true;
    for (std::size_t i = 0; i < m; ++i) {
      equal = equal && same_bits(sums[i].round(), expected[i].round());
    }
    CHECK(equal);
  }
}

namespace {

/// Checks exact_sums() of term(rank, i) for m elements against sums made here.
template <typename Term>
void check_sums(const Communicator& comm, std::size_t m, const Term& term) {
  std::vector<double> in(m);
  for (std::size_t i = 0; i < m; ++i) in[i] = term(comm.rank(), i);
  std::vector<double> out(m, 7.0);
  exact_sums(comm, in, out);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < m; ++i) {
    ExactSum sum;
    for (int rank = 0; rank < comm.size(); ++rank) sum.add(term(rank, i));
    const double expected = sum.round();
    wrong += std::isnan(expected) ? !std::isnan(out[i]) : !same_bits(out[i], expected);
  }
  CHECK(wrong == 0);
  exact_sums(comm, in, in);
  CHECK(std::equal(in.begin(), in.end(), out.begin(), [](double x, double y) {
    return same_bits(x, y) || (std::isnan(x) && std::isnan(y));
  }));
}

double random_term(int rank, std::size_t i, int first, int last) {
  const Random random(static_cast<std::uint64_t>(rank), 5);
  const auto range = static_cast<std::uint64_t>(last - first);
  const int exponent = first + static_cast<int>(random.below(3 * i, range));
  const double x = std::ldexp(static_cast<double>(random.bits(3 * i + 1) >> 11), exponent);
  return random.bits(3 * i + 2) % 2 == 0 ? x : -x;
}

}  // namespace

TEST_CASE("exact_sums: one term a rank and element") {
  const auto& comm = test::world();
  for (const std::size_t m : {0u, 1u, 5u, 3000u}) {
    CAPTURE(m);
    for (const auto& exponents : std::initializer_list<std::pair<int, int>>{
             {-53, -52}, {-80, -40}, {-1074, -1073}, {970, 971}, {-1074, 971}}) {
      const int first = exponents.first;
      const int last = exponents.second;
      check_sums(comm, m,
                 [&](int rank, std::size_t i) { return random_term(rank, i, first, last); });
      check_sums(comm, m, [&](int rank, std::size_t i) {  // all but the last rank's terms cancel
        if (rank + 1 == comm.size() && rank % 2 == 0) return random_term(rank, i, -1074, -60);
        return (rank % 2 == 0 ? 1 : -1) * random_term(rank / 2, i, first, last);
      });
    }
  }
}

TEST_CASE("exact_sums: zeros, the largest, infinities and NaNs") {
  const auto& comm = test::world();
  const int p = comm.size();
  check_sums(comm, 100, [](int, std::size_t) { return 0.0; });
  check_sums(comm, 100, [](int, std::size_t) { return -0.0; });
  check_sums(comm, 100, [](int rank, std::size_t i) { return (i + rank) % 3 == 0 ? 0.0 : -0.0; });
  check_sums(comm, 100, [](int rank, std::size_t i) { return (i + rank) % 5 == 0 ? 1.0 : -0.0; });
  check_sums(comm, 100, [](int rank, std::size_t i) {
    return (i + rank) % 2 == 0 ? Limits::max() : -Limits::max();
  });
  check_sums(comm, 100, [](int, std::size_t i) { return i % 2 == 0 ? Limits::max() : -1.0; });
  check_sums(comm, 300, [p](int rank, std::size_t i) {
    if (i % 7 == 3 && rank == p - 1) return -Limits::infinity();
    if (i % 14 == 3 && rank == 0) return Limits::infinity();
    return i == 99 ? Limits::quiet_NaN() : -0.0;
  });
}

TEST_CASE("the words of sums, added up by MPI, are the words of their merge") {
  const auto& comm = test::world();
  ExactSum local;
  local.add(-1.0 - comm.rank());
  local.add_product(Limits::denorm_min(), 0.5);
  for (int i = 0; i < 30; ++i) local.merge(local);  // carries pending
  std::array<std::int64_t, detail::ExactWords::count> words{};
  const auto sent = detail::ExactWords::of(local);
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Iallreduce(sent.data(), words.data(), static_cast<int>(words.size()),
                 datatype_of<std::int64_t>(), MPI_SUM, comm.native(), &request);
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  ExactSum total = detail::ExactWords::merged(words);
  const double p = comm.size();
  CHECK(same_bits(total.round(), -std::ldexp(p * (p + 1) / 2, 30)));
  total.add(std::ldexp(p * (p + 1) / 2, 30));
  CHECK(same_bits(total.round(), std::ldexp(p * Limits::denorm_min(), 29)));
  // The sum that was sent is as it was, and goes on.
  local.add(std::ldexp(1.0 + comm.rank(), 30));
  CHECK(same_bits(local.round(), std::ldexp(Limits::denorm_min(), 29)));
}

TEST_CASE("sizes that differ on a rank are an error there, before any message") {
  const std::vector<double> x(5);
  std::vector<double> y(4);
  CHECK_THROWS_AS(exact_sums(test::world(), x, y), Error);
  CHECK_THROWS_AS((void)exact_sums(async(test::world()), x, y), Error);
  CHECK_THROWS_AS((void)exact_dot(test::world(), x, y), Error);
}
