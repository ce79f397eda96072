// ExactSum on one rank, against big integers and against cases whose answer is known.

#include "cairn/collectives/exact_sum.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "cairn/core/error.hpp"
#include "cairn/core/random.hpp"
#include "exact_cases.hpp"
#include "exact_twin.hpp"

using namespace cairn;

using namespace test;

namespace {

/// The sum added one by one; checks that adding them as a span is the same.
double sum_of(const std::vector<double>& terms) {
  ExactSum one_by_one;
  for (const double x : terms) one_by_one.add(x);
  ExactSum at_once;
  at_once.add(std::span<const double>(terms));
  CHECK(same(one_by_one.round(), at_once.round()));
  return one_by_one.round();
}

double dot_of(const std::vector<std::pair<double, double>>& factors) {
  ExactSum sum;
  for (const auto& [a, b] : factors) sum.add_product(a, b);
  return sum.round();
}

void check_against_twin(const std::vector<double>& terms) {
  ExactTwin twin;
  twin.add(terms);
  CHECK(twin.is_nearest(sum_of(terms)));
}

}  // namespace

TEST_CASE("the twin knows its neighbours") {
  ExactTwin third;
  third.add(1.0);
  third.add(std::ldexp(1.0, -54));
  CHECK(third.is_nearest(1.0));
  CHECK_FALSE(third.is_nearest(1.0 + Limits::epsilon()));
  CHECK_FALSE(third.is_nearest(-1.0));
  third.add(std::ldexp(1.0, -54));  // now half way between 1 and its successor: 1 is even
  CHECK(third.is_nearest(1.0));
  CHECK_FALSE(third.is_nearest(1.0 + Limits::epsilon()));
  CHECK_FALSE(third.is_nearest(1.0 - Limits::epsilon() / 2));
}

TEST_CASE("special values are as documented") {
  CHECK(same(sum_of({}), 0.0));
  CHECK(same(sum_of({-0.0}), -0.0));
  CHECK(same(sum_of({-0.0, -0.0}), -0.0));
  CHECK(same(sum_of({-0.0, 0.0}), 0.0));
  CHECK(same(sum_of({1.5, -1.5}), 0.0));
  CHECK(same(sum_of({-0.0, 1.5, -1.5}), 0.0));
  CHECK(same(sum_of({-0.0, -1.5}), -1.5));
  CHECK(same(sum_of({infinity, -largest, 1.0}), infinity));
  CHECK(same(sum_of({-infinity, largest}), -infinity));
  CHECK(same(sum_of({infinity, 1.0, -infinity}), not_a_number));
  CHECK(same(sum_of({not_a_number, 1.0}), not_a_number));
  CHECK(same(sum_of({-not_a_number, infinity}), not_a_number));
  CHECK(same(sum_of({Limits::signaling_NaN()}), not_a_number));
}

TEST_CASE("special values among many terms") {
  const auto with = [](std::size_t n, double filler, std::vector<double> extra) {
    std::vector<double> terms(n, filler);
    for (std::size_t i = 0; i < extra.size(); ++i) terms[n / 2 + 7 * i] = extra[i];
    return sum_of(terms);
  };
  for (const std::size_t n : {511u, 512u, 513u, 10001u}) {
    CHECK(same(with(n, -0.0, {}), -0.0));
    CHECK(same(with(n, -0.0, {0.0}), 0.0));
    CHECK(same(with(n, -0.0, {-smallest}), -smallest));
    CHECK(same(with(n, -0.0, {smallest, -smallest}), 0.0));
    CHECK(same(with(n, 0.0, {}), 0.0));
    CHECK(same(with(n, 1.0, {infinity}), infinity));
    CHECK(same(with(n, 1.0, {-infinity, -infinity}), -infinity));
    CHECK(same(with(n, 1.0, {-infinity, infinity}), not_a_number));
    CHECK(same(with(n, 1.0, {not_a_number}), not_a_number));
    CHECK(same(with(n, -infinity, {}), -infinity));
  }
}

TEST_CASE("special products are as documented") {
  CHECK(same(dot_of({{0.0, 5.0}}), 0.0));
  CHECK(same(dot_of({{0.0, -5.0}}), -0.0));
  CHECK(same(dot_of({{-0.0, -smallest}}), 0.0));
  CHECK(same(dot_of({{-0.0, 5.0}, {0.0, -1.0}}), -0.0));
  CHECK(same(dot_of({{-0.0, 5.0}, {0.0, 1.0}}), 0.0));
  CHECK(same(dot_of({{infinity, 0.0}}), not_a_number));
  CHECK(same(dot_of({{-0.0, -infinity}}), not_a_number));
  CHECK(same(dot_of({{not_a_number, 0.0}}), not_a_number));
  CHECK(same(dot_of({{1.0, not_a_number}}), not_a_number));
  CHECK(same(dot_of({{not_a_number, infinity}}), not_a_number));
  CHECK(same(dot_of({{infinity, -smallest}}), -infinity));
  CHECK(same(dot_of({{-infinity, -infinity}}), infinity));
  CHECK(same(dot_of({{infinity, 1.0}, {1.0, -infinity}}), not_a_number));
}

TEST_CASE("overflow is decided by the exact sum alone") {
  CHECK(same(sum_of({largest, largest, -largest}), largest));
  CHECK(same(sum_of({largest, largest}), infinity));
  CHECK(same(sum_of({-largest, -largest}), -infinity));
  const double half_step = std::ldexp(1.0, 970);
  CHECK(same(sum_of({largest, half_step}), infinity));  // the tie goes to the even 2^1024
  CHECK(same(sum_of({largest, half_step, -smallest}), largest));
  CHECK(same(sum_of({-largest, -half_step, smallest}), -largest));
  CHECK(same(sum_of({-largest, -half_step}), -infinity));
  CHECK(same(dot_of({{largest, largest}}), infinity));
  CHECK(same(dot_of({{largest, largest}, {-largest, largest}, {3.0, 5.0}}), 15.0));
  CHECK(same(dot_of({{largest, -largest}, {largest, largest}, {-3.0, 5.0}}), -15.0));
}

TEST_CASE("underflow is decided by the exact sum alone") {
  const double root = std::ldexp(1.0, -537);  // root² is the smallest double
  CHECK(same(dot_of({{root, root}}), smallest));
  CHECK(same(dot_of({{root, root / 2}}), 0.0));  // half of it: the tie goes to the even 0
  CHECK(same(dot_of({{root, -root / 2}}), -0.0));
  CHECK(same(dot_of({{root, root / 2}, {smallest, smallest}}), smallest));
  CHECK(same(dot_of({{root, root / 2}, {-smallest, smallest}}), 0.0));
  CHECK(
      same(dot_of({{root, root}, {root, root / 2}}), 2 * smallest));  // 1.5: tie, up to the even 2
  CHECK(same(dot_of({{root, root}, {root, root / 2}, {smallest, -smallest}}), smallest));
  CHECK(same(dot_of({{smallest, smallest}}), 0.0));
  std::vector<std::pair<double, double>> small(4, {std::ldexp(1.0, -540), std::ldexp(1.0, -536)});
  CHECK(same(dot_of(small), smallest));  // four quarters
  CHECK(same(sum_of({Limits::min(), -smallest}), Limits::min() - smallest));
}

TEST_CASE("half-way cases go to the even neighbour, and a bit more decides") {
  const Random random(5);
  for (std::uint64_t i = 0; i < 200; ++i) {
    const int exponent = static_cast<int>(random.below(2 * i, 2000)) - 1040;
    const double place = std::ldexp(1.0, exponent);
    // A significand whose neighbours have the same last place.
    const auto significand =
        (std::uint64_t{1} << 52) + 1 + random.below(2 * i + 1, (std::uint64_t{1} << 52) - 2);
    const double x = std::ldexp(static_cast<double>(significand), exponent);
    const double next = x + place;
    const double even = significand % 2 == 0 ? x : next;
    for (const double sign : {1.0, -1.0}) {
      CHECK(same(sum_of({sign * x, sign * place / 2}), sign * even));
      CHECK(same(sum_of({sign * next, -sign * place / 2}), sign * even));
      CHECK(same(sum_of({sign * x, sign * place / 2, sign * smallest}), sign * next));
      CHECK(same(sum_of({sign * x, sign * place / 2, -sign * smallest}), sign * x));
      CHECK(same(dot_of({{sign * x, 1.0}, {sign * place, 0.5}, {sign * smallest, smallest}}),
                 sign * next));
      CHECK(same(dot_of({{sign * x, 1.0}, {sign * place, 0.5}, {-sign * smallest, smallest}}),
                 sign * x));
    }
  }
}

TEST_CASE("random terms of many ranges of exponents") {
  struct Range {
    int first, last;
  };
  std::uint64_t seed = 10;
  for (const auto& [first, last] :
       {Range{-1074, 971}, Range{-1074, -1070}, Range{-1074, -900}, Range{960, 971}, Range{-60, 60},
        Range{-2, 2}, Range{-52, -51}}) {
    for (const std::size_t n : {1u, 2u, 3u, 10u, 100u, 600u, 3000u}) {
      check_against_twin(random_doubles(++seed, n, first, last));
    }
  }
}

TEST_CASE("cancellation leaves the small rest") {
  for (std::uint64_t seed = 100; seed < 120; ++seed) {
    auto terms = random_doubles(seed, 700, -1074, 971);
    const std::size_t n = terms.size();
    for (std::size_t i = 0; i < n; ++i) terms.push_back(-terms[i]);
    const auto rest = random_doubles(seed, seed % 5, -1074, -1000);
    terms.insert(terms.end(), rest.begin(), rest.end());
    terms = shuffled(std::move(terms), seed);
    check_against_twin(terms);
    if (rest.empty()) CHECK(same(sum_of(terms), 0.0));
    if (rest.size() == 1) CHECK(same(sum_of(terms), rest[0]));
  }
}

TEST_CASE("random products over the full range") {
  for (std::uint64_t seed = 200; seed < 212; ++seed) {
    const int limit = seed % 3 == 0 ? 100 : 971;
    const auto a = random_doubles(seed, 300, -1074, limit);
    const auto b = random_doubles(seed + 1000, 300, -1074, limit);
    ExactSum sum;
    ExactTwin twin;
    for (std::size_t i = 0; i < a.size(); ++i) {
      sum.add_product(a[i], b[i]);
      twin.add_product(a[i], b[i]);
      CHECK(twin.is_nearest(sum.round()));
    }
    for (std::size_t i = 1; i < a.size(); ++i) {  // all but the first cancel, in another order
      sum.add_product(-b[i], a[i]);
      twin.add_product(-b[i], a[i]);
    }
    CHECK(twin.is_nearest(sum.round()));
    CHECK(same(sum.round(), dot_of({{a[0], b[0]}})));
  }
}

TEST_CASE("products that are not representable") {
  const double x = 1.0 + std::ldexp(1.0, -30);
  CHECK(same(dot_of({{x, x}, {-1.0, 1.0}, {-2.0, std::ldexp(1.0, -30)}}), std::ldexp(1.0, -60)));
  ExactSum sum;
  const std::vector<double> a{1e200, 1.0, -1e200};
  const std::vector<double> b{1e200, 2.0, 1e200};
  sum.add_products(a, b);
  CHECK(sum.round() == 2.0);
  CHECK_THROWS_AS(sum.add_products(a, std::span<const double>(b).first(2)), Error);
}

TEST_CASE("any order and any bracketing give the same bits") {
  const auto terms = random_doubles(300, 2000, -1074, 971);
  const double expected = sum_of(terms);
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const auto other = shuffled(terms, seed);
    CHECK(same(sum_of(other), expected));
    ExactSum total;
    for (std::size_t first = 0; first < other.size();) {
      const std::size_t count =
          std::min<std::size_t>(1 + Random(seed).below(first, 900), other.size() - first);
      ExactSum part;
      part.add(std::span<const double>(other).subspan(first, count));
      total.merge(part);
      first += count;
    }
    CHECK(same(total.round(), expected));
  }
}

TEST_CASE("threads sum apart and merge") {
  const auto terms = random_doubles(301, 5000, -300, 300);
  std::vector<ExactSum> parts(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < parts.size(); ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < terms.size(); i += parts.size()) parts[t].add(terms[i]);
    });
  }
  for (auto& thread : threads) thread.join();
  ExactSum total;
  for (const auto& part : parts) total.merge(part);
  CHECK(same(total.round(), sum_of(terms)));
}

TEST_CASE("more terms of one exponent than a bin holds") {
  const double full = 2.0 - Limits::epsilon();  // all bits of the significand are 1
  for (const std::size_t n : {2047u, 2048u, 2049u, 4096u, 4097u, 100000u}) {
    for (const double x : {full, -full, largest / 200000, smallest, -Limits::min() + smallest}) {
      CHECK(same(sum_of(std::vector<double>(n, x)), dot_of({{static_cast<double>(n), x}})));
    }
  }
  std::vector<double> huge(10000, largest);
  CHECK(sum_of(huge) == infinity);
  for (std::size_t i = 0; i < 10000; ++i) huge.push_back(-largest);
  huge.push_back(smallest);
  CHECK(same(sum_of(huge), smallest));
}

TEST_CASE("2^62 times the terms by doubling: carries travel in time") {
  for (const auto& terms :
       {random_doubles(400, 900, -1074, 900), random_doubles(401, 900, -52, -40),
        std::vector<double>{-smallest}, std::vector<double>{-1.0, smallest},
        std::vector<double>{largest, -1e-300}, std::vector<double>(1000, -0.1)}) {
    ExactSum sum;
    sum.add(terms);
    ExactTwin twin;
    twin.add(terms);
    for (int doubling = 0; doubling < 62; ++doubling) {
      sum.merge(sum);
      twin.double_it();
      if (doubling % 5 == 0) CHECK(twin.is_nearest(sum.round()));
    }
    CHECK(twin.is_nearest(sum.round()));
    // Back to the terms themselves, by taking away 2^62 - 1 times what they are.
    ExactSum power;
    for (const double x : terms) power.add(-x);
    for (int doubling = 0; doubling < 62; ++doubling) {
      sum.merge(power);
      power.merge(power);
    }
    CHECK(same(sum.round(), sum_of(terms)));
  }
}

TEST_CASE("the largest product 2^62 times is still exact") {
  ExactSum sum;
  sum.add_product(largest, largest);
  ExactSum negative;
  negative.add_product(largest, -largest);
  for (int doubling = 0; doubling < 62; ++doubling) {
    sum.merge(sum);
    negative.merge(negative);
  }
  CHECK(sum.round() == infinity);
  CHECK(negative.round() == -infinity);
  sum.merge(negative);
  CHECK(same(sum.round(), 0.0));
  sum.add(0.1);
  CHECK(same(sum.round(), 0.1));
}

TEST_CASE("merging with an empty sum changes nothing, -0 included") {
  ExactSum minus_zero;
  minus_zero.add(-0.0);
  minus_zero.merge(ExactSum());
  CHECK(same(minus_zero.round(), -0.0));
  ExactSum sum;
  sum.merge(minus_zero);
  CHECK(same(sum.round(), -0.0));
  for (int doubling = 0; doubling < 70; ++doubling) sum.merge(sum);
  CHECK(same(sum.round(), -0.0));
  sum.add(0.0);
  CHECK(same(sum.round(), 0.0));
}

TEST_CASE("round() reads and the sum goes on") {
  ExactSum sum;
  double expected = 0.0;
  for (int i = 1; i <= 1000; ++i) {
    sum.add(static_cast<double>(i));
    expected += i;
    CHECK(sum.round() == expected);
  }
}

TEST_CASE("the rounding mode does not matter") {
  const auto terms = random_doubles(500, 1000, -100, 100);
  const double expected = sum_of(terms);
  for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    std::fesetround(mode);
    const double rounded = sum_of(terms);
    std::fesetround(FE_TONEAREST);
    CHECK(same(rounded, expected));
  }
}

#if defined(__SSE2__)
TEST_CASE("flush-to-zero modes do not matter") {
  constexpr unsigned flush_and_denormals_are_zero = 0x8040;
  const std::vector<double> terms{smallest, smallest, -Limits::min(), 3 * smallest};
  const unsigned before = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(before | flush_and_denormals_are_zero);
  ExactSum sum;
  sum.add(terms);
  ExactSum product;
  product.add_product(infinity, smallest);
  const double rounded = sum.round();
  const double infinite = product.round();
  __builtin_ia32_ldmxcsr(before);
  CHECK(same(rounded, -Limits::min() + 5 * smallest));
  CHECK(same(infinite, infinity));
}
#endif
