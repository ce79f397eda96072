// exact_sum and exact_dot over ranks: equal everywhere, whatever the distribution.

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/exact_sum.hpp"
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
