// Sums, dot products and norms of many terms: with every kernel that this machine has, and with
// none, on several threads, against big integers. The hard cases are those of the literature (see
// exact_kernels.hpp) and those at the edges of slices, blocks and vectors.

#include "exact_kernels.hpp"

#include <doctest/doctest.h>
#include <omp.h>

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "cairn/collectives/exact_sum.hpp"
#include "cairn/core/random.hpp"
#include "exact_cases.hpp"
#include "exact_twin.hpp"

using namespace cairn;
using namespace test;

namespace {

using Terms = std::vector<double>;
using View = std::span<const double>;

// Eight lanes for machines without AVX-512: the same loops, in whatever vectors there are.
namespace eight_lanes {
#define CAIRN_TARGET
#define CAIRN_INLINE __attribute__((always_inline)) inline

using namespace exact;
constexpr std::uint64_t sign = std::uint64_t{1} << 63;
constexpr std::size_t lanes = 8;
using Vector = double __attribute__((vector_size(8 * lanes)));
using Bits = std::uint64_t __attribute__((vector_size(8 * lanes)));

CAIRN_INLINE Vector larger(Vector a, Vector b) {
  for (std::size_t lane = 0; lane < lanes; ++lane) a[lane] = a[lane] > b[lane] ? a[lane] : b[lane];
  return a;
}
CAIRN_INLINE Vector smaller(Vector a, Vector b) {
  for (std::size_t lane = 0; lane < lanes; ++lane) a[lane] = a[lane] < b[lane] ? a[lane] : b[lane];
  return a;
}
CAIRN_INLINE Vector product_error(Vector a, Vector b, Vector product) {
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    a[lane] = std::fma(a[lane], b[lane], -product[lane]);
  }
  return a;
}

#include "exact_kernels.inc"
constexpr Kernels kernels{"eight lanes", sum, dot, two_products};
#undef CAIRN_TARGET
#undef CAIRN_INLINE
}  // namespace eight_lanes

/// Calls `check` with each kernel chosen in turn, and with none.
template <typename Check>
void with_each_kernel(const Check& check) {
  const exact::Kernels* before = exact::chosen_kernels();
  const auto available = exact::available_kernels();
  std::vector<const exact::Kernels*> all(available.begin(), available.end());
  all.push_back(&eight_lanes::kernels);
  all.push_back(nullptr);
  for (const auto* kernels : all) {
    const std::string name = kernels == nullptr ? "none" : kernels->name;
    CAPTURE(name);
    exact::choose_kernels(kernels);
    check();
  }
  exact::choose_kernels(before);
}

ExactSum sum_over(View terms, int threads = 1) {
  ExactSum sum;
  sum.add(terms, ExactOptions{threads});
  return sum;
}

ExactSum products_over(View a, View b, int threads = 1) {
  ExactSum sum;
  sum.add_products(a, b, ExactOptions{threads});
  return sum;
}

double sum_of(View terms, int threads = 1) { return sum_over(terms, threads).round(); }
double dot_of(View a, View b, int threads = 1) { return products_over(a, b, threads).round(); }
double norm_of(View x) { return products_over(x, x).round_root(); }

/// Whether two sums are the same number, to the last of the bits that round() does not show.
bool same_number(ExactSum a, ExactSum b) {
  constexpr std::size_t digits = 134;
  const auto x = detail::ExactWords::of(a).first<digits>();
  const auto y = detail::ExactWords::of(b).first<digits>();
  return std::equal(x.begin(), x.end(), y.begin());
}

void check_sum(View terms) {
  ExactTwin twin;
  twin.add(terms);
  ExactSum one_by_one;
  for (const double x : terms) one_by_one.add(x);
  with_each_kernel([&] {
    const ExactSum sum = sum_over(terms);
    CHECK(twin.is_nearest(sum.round()));
    CHECK(same_number(sum, one_by_one));
  });
}

void check_dot(View a, View b) {
  ExactTwin twin;
  twin.add_products(a, b);
  ExactSum one_by_one;
  for (std::size_t i = 0; i < a.size(); ++i) one_by_one.add_product(a[i], b[i]);
  with_each_kernel([&] {
    const ExactSum sum = products_over(a, b);
    CHECK(twin.is_nearest(sum.round()));
    CHECK(same_number(sum, one_by_one));
  });
}

void check_norm(View x) {
  ExactTwin twin;
  twin.add_products(x, x);
  with_each_kernel([&] { CHECK(twin.is_nearest_root(norm_of(x))); });
}

/// 1 ≤ |x| < 2, and all bits of the significand are random.
Terms units(std::uint64_t seed, std::size_t n) {
  const Random random(seed, 3);
  Terms terms(n);
  for (std::size_t i = 0; i < n; ++i) {
    terms[i] = 1.0 + static_cast<double>(random.bits(2 * i) >> 12) * Limits::epsilon();
    if ((random.bits(2 * i + 1) & 1) != 0) terms[i] = -terms[i];
  }
  return terms;
}

Terms scaled(Terms terms, int exponent) {
  for (double& x : terms) x = std::ldexp(x, exponent);
  return terms;
}

void append(Terms& terms, View more) { terms.insert(terms.end(), more.begin(), more.end()); }

/// Factors whose dot product is `rest` · 2^-`depth` of its largest term, or so: Σ a b of exponents
/// that fall from 2^0, then the same with the other sign and the factors in other places.
void cancelling_factors(int depth, double rest, Terms& a, Terms& b) {
  a = units(11, 900);
  b = units(12, 900);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = std::ldexp(a[i], -static_cast<int>(i) * depth / 1000);
  }
  const Terms once = a;
  for (const double x : b) a.push_back(-x);
  append(b, once);
  a.push_back(std::ldexp(rest, -depth / 2));
  b.push_back(std::ldexp(1.0, -(depth - depth / 2)));
}

constexpr std::size_t block = exact::block_terms;

}  // namespace

TEST_CASE("the machine has kernels, and the fastest is chosen") {
  const auto available = exact::available_kernels();
  REQUIRE(!available.empty());
  CHECK(std::string(available.front()->name) == "scalar");
  if (std::getenv("CAIRN_SIMD") == nullptr) CHECK(exact::chosen_kernels() == available.back());
}

TEST_CASE("all sizes around vectors and blocks, wherever a span starts") {
  const Terms a = random_doubles(1, 3 * block + 9, -60, -40);
  const Terms b = random_doubles(2, 3 * block + 9, -70, -52);
  std::vector<std::size_t> sizes;
  for (std::size_t n = 0; n <= 72; ++n) sizes.push_back(n);
  for (std::size_t blocks = 1; blocks <= 3; ++blocks) {
    for (const std::size_t n : {blocks * block - 1, blocks * block, blocks * block + 1}) {
      sizes.push_back(n);
    }
  }
  for (const std::size_t n : sizes) {
    for (std::size_t offset = 0; offset < 8; offset += n < 100 ? 1 : 5) {
      CAPTURE(n);
      CAPTURE(offset);
      check_sum(View(a).subspan(offset, n));
      check_dot(View(a).subspan(offset, n), View(b).subspan(7 - offset, n));
    }
  }
}

TEST_CASE("the terms' exponents span little, much, everything") {
  for (const int last : {-1070, -1000, -500, -52, 0, 900, 968, 971}) {
    for (const int width : {1, 20, 60, 150, 2044}) {
      const int first = std::max(last - width, -1074);
      CAPTURE(first);
      CAPTURE(last);
      const auto seed = static_cast<std::uint64_t>(last + 3000 * width);
      const Terms x = random_doubles(seed, block + 300, first, last);
      check_sum(x);
      const Terms y = random_doubles(seed + 1, block + 300, first, last);
      check_dot(x, y);
      check_norm(View(x).first(200));
    }
  }
}

TEST_CASE("a small term below large ones: at every distance, so at every edge of a slice") {
  for (int distance = 0; distance <= 240; ++distance) {
    CAPTURE(distance);
    Terms x = units(20, 100);
    for (const auto& small : scaled(units(21, 5), -distance)) x.push_back(small);
    for (const double v : units(20, 100)) x.push_back(-v);
    check_sum(x);
  }
}

TEST_CASE("a small product below large ones, at every distance") {
  for (int distance = 0; distance <= 360; distance += 3) {
    CAPTURE(distance);
    Terms a = units(30, 50);
    Terms b = units(31, 50);
    append(a, scaled(units(32, 3), -distance / 2));
    append(b, scaled(units(33, 3), -(distance - distance / 2)));
    append(a, units(31, 50));  // the large ones cancel
    append(b, units(30, 50));
    for (std::size_t i = 53; i < b.size(); ++i) b[i] = -b[i];
    check_dot(a, b);
  }
}

TEST_CASE("cancellation to the last bit") {
  const double place = Limits::epsilon();
  for (const double scale : {1.0, 0x1p900, 0x1p-900, 0x1p-1022}) {
    Terms x = units(40, block);
    for (double& v : x) v *= scale;
    const Terms once = x;
    for (const double v : shuffled(once, 1)) x.push_back(-v);
    with_each_kernel([&] { CHECK(same(sum_of(x), 0.0)); });
    x[7] = std::nextafter(x[7], infinity);
    const double step = x[7] - once[7];
    CHECK(step == place * scale);
    with_each_kernel([&] { CHECK(same(sum_of(x), step)); });
  }
}

TEST_CASE("dot products of condition numbers up to 1e300") {
  Terms a;
  Terms b;
  for (const int depth : {0, 50, 100, 160, 200, 300, 500, 800, 997}) {
    CAPTURE(depth);
    cancelling_factors(depth, 1.25, a, b);
    with_each_kernel([&] { CHECK(same(dot_of(a, b), std::ldexp(1.25, -depth))); });
    cancelling_factors(depth, 0.0, a, b);
    with_each_kernel([&] { CHECK(same(dot_of(a, b), 0.0)); });
  }
}

TEST_CASE("blocks full of the largest terms that a bound allows") {
  const double full = 2.0 - Limits::epsilon();
  for (const int exponent : {-1022, -973, -816, -815, 0, 1, 960, 1019, 1020, 1021, 1022, 1023}) {
    for (const double sign : {1.0, -1.0}) {
      CAPTURE(exponent);
      const Terms x(2 * block, std::ldexp(sign * full, exponent));
      const Terms ones(2 * block, -1.0);
      const Terms twos(2 * block, full);
      ExactSum sum;
      sum.add_product(x[0], 2.0 * block);
      check_dot(x, twos);
      with_each_kernel([&] {
        CHECK(same(sum_of(x), sum.round()));
        CHECK(same(dot_of(x, ones), -sum.round()));
      });
    }
  }
}

TEST_CASE("partial sums that overflow, and sums at the edge of it") {
  Terms x(block, largest);
  append(x, Terms(block, -largest));
  x.push_back(1.5);
  with_each_kernel([&] {
    CHECK(same(sum_of(x), 1.5));
    CHECK(same(dot_of(x, x), infinity));
    CHECK(same(sum_of(View(x).first(block)), infinity));
  });
  Terms negated = x;
  std::reverse(negated.begin(), negated.end());
  check_dot(x, negated);
  Terms edge(64, 0.0);
  edge[3] = largest;
  edge[40] = 0x1p970;
  with_each_kernel([&] { CHECK(same(sum_of(edge), infinity)); });
  edge[60] = -smallest;
  with_each_kernel([&] { CHECK(same(sum_of(edge), largest)); });
}

TEST_CASE("products whose error term underflows, alone and below others") {
  for (int exponent = -1085; exponent <= -900; exponent += 5) {
    CAPTURE(exponent);
    for (const int others : {exponent, -960, -830, -800, -700}) {
      Terms a = scaled(units(50, 40), exponent / 2);
      Terms b = scaled(units(51, 40), exponent - exponent / 2);
      append(a, scaled(units(52, 24), others / 2));
      append(b, scaled(units(53, 24), others - others / 2));
      check_dot(a, b);
      append(a, scaled(units(53, 24), others - others / 2));  // the others cancel
      append(b, scaled(units(52, 24), others / 2));
      for (std::size_t i = 64; i < b.size(); ++i) b[i] = -b[i];
      check_dot(a, b);
    }
  }
}

TEST_CASE("products of one bit whose error term lies 104 bits below") {
  // (1 + ε) (1 - ε) = 1 - ε², rounded to 1.
  const double epsilon = Limits::epsilon();
  for (int exponent = -1074; exponent <= -900; ++exponent) {
    CAPTURE(exponent);
    for (const double others : {0.0, 0x1p-900, 0x1p-840, 0x1p-800}) {
      Terms a(40, std::ldexp(1.0 + epsilon, exponent / 2));
      Terms b(40, std::ldexp(1.0 - epsilon, exponent - exponent / 2));
      a[19] = others;
      b[19] = 1.0;
      check_dot(a, b);
    }
  }
}

TEST_CASE("one factor is tiny, or huge, and the product is not") {
  for (const int exponent : {-1074, -1050, -1022, -980, 980, 996, 997, 1000, 1023}) {
    CAPTURE(exponent);
    const Terms a = scaled(units(60, 70), exponent);
    const Terms b = scaled(units(61, 70), std::clamp(-exponent, -1022, 1023));
    check_dot(a, b);
    check_dot(b, a);
  }
}

TEST_CASE("products that vanish still count, wherever they stand") {
  for (const std::size_t n : {64u, 65u, 66u, 67u, 71u}) {
    for (const std::size_t at : {std::size_t{0}, std::size_t{1}, n / 2, n - 2, n - 1}) {
      CAPTURE(n);
      CAPTURE(at);
      Terms a = units(70, n);
      Terms b = units(71, n);
      a[at] = 0x1p-600;
      b[at] = 0x1p-500;
      check_dot(a, b);
      a[(at + 7) % n] = 0.0;
      check_dot(a, b);
    }
  }
}

TEST_CASE("sizes of terms change from block to block") {
  for (const int step : {-300, -40, -7, 7, 40, 300}) {
    CAPTURE(step);
    Terms x;
    Terms y;
    for (int i = 0; i < 6; ++i) {
      append(x, scaled(units(80, block - 11), step * (i - 3)));
      append(y, units(81, block - 11));
    }
    check_sum(x);
    check_dot(x, y);
    check_dot(y, x);
  }
}

TEST_CASE("a term far above a block, and far below") {
  for (const std::size_t at : {std::size_t{0}, std::size_t{1}, std::size_t{500}, 2 * block - 1}) {
    for (const double outlier : {0x1p60, -0x1p200, 0x1.8p1023, 0x1p-60, 0x1.1p-300, smallest}) {
      CAPTURE(at);
      CAPTURE(outlier);
      Terms x = units(90, 2 * block);
      const Terms y = units(91, 2 * block);
      x[at] = outlier;
      check_sum(x);
      check_dot(x, y);
      check_dot(y, x);
    }
  }
}

TEST_CASE("many terms that no slices hold") {
  for (const int width : {120, 2045}) {
    const int last = std::min(width / 2, 971);
    const Terms x = random_doubles(95, 6 * block + 1, last - width, last);
    const Terms y = random_doubles(96, 6 * block + 1, last - width, last);
    check_sum(x);
    check_dot(x, y);
    Terms special = x;
    special[4000] = infinity;
    with_each_kernel([&] {
      CHECK(same(sum_of(special), infinity));
      CHECK(std::isinf(dot_of(special, y)));
    });
  }
}

TEST_CASE("more terms of one exponent than a bin holds") {
  const double full = 2.0 - Limits::epsilon();
  for (const std::size_t n : {4095u, 4096u, 4097u, 4098u, 8193u, 100000u}) {
    for (const double x : {full, -full, largest / 200000, smallest, -Limits::min() + smallest}) {
      ExactSum product;
      product.add_product(static_cast<double>(n), x);
      with_each_kernel([&] { CHECK(same(sum_of(Terms(n, x)), product.round())); });
    }
    with_each_kernel([&] { CHECK(same(sum_of(Terms(n, -0.0)), -0.0)); });
  }
}

TEST_CASE("infinities and NaNs at every place") {
  const Terms plain = units(100, 80);
  const Terms others = units(101, 80);
  for (std::size_t at = 0; at < plain.size(); ++at) {
    CAPTURE(at);
    Terms x = plain;
    for (const double special : {infinity, -infinity, not_a_number, Limits::signaling_NaN()}) {
      x[at] = special;
      with_each_kernel([&] {
        CHECK(same(sum_of(x), special));
        CHECK(same(dot_of(x, others), others[at] < 0 ? -special : special));
        CHECK(same(norm_of(x), special * special));
      });
    }
    Terms y = others;
    y[at] = 0.0;
    with_each_kernel([&] { CHECK(same(dot_of(x, y), not_a_number)); });
    x[at] = infinity;
    y = others;
    y[at] = smallest;
    with_each_kernel([&] { CHECK(same(dot_of(x, y), infinity)); });
    x[(at + 17) % x.size()] = -infinity;
    with_each_kernel([&] { CHECK(same(sum_of(x), not_a_number)); });
  }
}

TEST_CASE("signed zeros") {
  for (const std::size_t n : {std::size_t{30}, std::size_t{64}, block, 2 * block + 5}) {
    CAPTURE(n);
    const Terms zeros(n, 0.0);
    const Terms minus(n, -0.0);
    const Terms ones(n, 1.0);
    Terms mixed = minus;
    mixed[n - 2] = 0.0;
    Terms tiny = minus;
    tiny[n / 2] = smallest;
    tiny[n / 3] = -smallest;
    Terms vanishing(n, -0x1p-600);
    with_each_kernel([&] {
      CHECK(same(sum_of(zeros), 0.0));
      CHECK(same(sum_of(minus), -0.0));
      CHECK(same(sum_of(mixed), 0.0));
      CHECK(same(sum_of(tiny), 0.0));
      CHECK(same(dot_of(zeros, ones), 0.0));
      CHECK(same(dot_of(minus, ones), -0.0));
      CHECK(same(dot_of(minus, minus), 0.0));
      CHECK(same(dot_of(mixed, ones), 0.0));
      CHECK(same(dot_of(vanishing, vanishing), 0.0));
      CHECK(same(norm_of(minus), 0.0));
    });
  }
}

TEST_CASE("any number of threads gives the same bits") {
  for (const std::size_t n : {std::size_t{0}, std::size_t{3}, std::size_t{100}, 3 * block + 1}) {
    const Terms a = random_doubles(n, n, -300, 300);
    const Terms b = random_doubles(n + 1, n, -300, 300);
    const double sum = sum_of(a);
    const double dot = dot_of(a, b);
    for (const int threads : {0, 1, 2, 3, 4}) {
      CAPTURE(threads);
      with_each_kernel([&] {
        CHECK(same(sum_of(a, threads), sum));
        CHECK(same(dot_of(a, b, threads), dot));
      });
    }
  }
}

TEST_CASE("threads by default, for many terms, and none inside a parallel region") {
  const Terms a = units(110, 300000);
  const double sum = sum_of(a, 1);
  CHECK(same(sum_of(a, 0), sum));
  bool equal = true;
#pragma omp parallel num_threads(2) reduction(&& : equal)
  equal = same(sum_of(a, 0), sum) && same(sum_of(a, 2), sum);
  CHECK(equal);
}

TEST_CASE("the rounding mode plays no role, and stays as it is") {
  const Terms a = units(120, 700);
  Terms b = units(121, 700);
  const double sum = sum_of(a);
  const double dot = dot_of(a, b);
  const double norm = norm_of(a);
  with_each_kernel([&] {
    for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST}) {
      std::fesetround(mode);
      const double rounded[] = {sum_of(a, 2), dot_of(a, b, 2), norm_of(a)};
      const int after = std::fegetround();
      std::fesetround(FE_TONEAREST);
      CHECK(after == mode);
      CHECK(same(rounded[0], sum));
      CHECK(same(rounded[1], dot));
      CHECK(same(rounded[2], norm));
    }
  });
}

#if defined(__SSE2__)
TEST_CASE("flushed denormals, traps and flags play no role, and stay as they are") {
  constexpr unsigned flush_and_denormals_are_zero = 0x8040;
  constexpr unsigned all_masks = 0x1f80;
  Terms tiny(100, smallest);
  tiny[50] = -Limits::min();
  Terms mixed = units(130, 100);
  mixed[9] = 0x1p-1060;
  mixed[10] = 0x1p-600;
  mixed[11] = largest;
  const Terms halves(100, 0.5);
  const double tiny_dot = dot_of(tiny, halves);
  const double mixed_sum = sum_of(mixed);
  const double mixed_dot = dot_of(mixed, mixed);
  const unsigned before = __builtin_ia32_stmxcsr();
  with_each_kernel([&] {
    for (const unsigned modes : {before | flush_and_denormals_are_zero, before & ~all_masks}) {
      __builtin_ia32_ldmxcsr(modes);
      const double sum = sum_of(tiny);
      const double dots[] = {dot_of(tiny, halves), dot_of(mixed, mixed)};
      const double sum_of_mixed = sum_of(mixed);
      const unsigned after = __builtin_ia32_stmxcsr();
      __builtin_ia32_ldmxcsr(before);
      CHECK(after == modes);
      CHECK(same(sum, -Limits::min() + 99 * smallest));
      CHECK(same(dots[0], tiny_dot));
      CHECK(same(dots[1], mixed_dot));
      CHECK(same(sum_of_mixed, mixed_sum));
    }
  });
}
#endif

TEST_CASE("norms are the rounded roots of exact sums") {
  with_each_kernel([&] {
    CHECK(same(norm_of({}), 0.0));
    CHECK(same(norm_of(Terms{3.0, -4.0}), 5.0));
    for (const double scale : {1e300, 1e-300, 0x1p1020, smallest}) {
      CHECK(same(norm_of(Terms{3 * scale, 4 * scale}), 5 * scale));
    }
    CHECK(same(norm_of(Terms{largest, largest}), infinity));
    CHECK(same(norm_of(Terms{largest}), largest));
    CHECK(same(norm_of(Terms{-smallest}), smallest));
    CHECK(same(norm_of(Terms(10000, 1e-320)), 100 * 1e-320));
    CHECK(same(norm_of(Terms(1024, 0x1p1018)), 0x1p1023));
    CHECK(same(norm_of(Terms(4096, 0x1p1018)), infinity));
  });
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    check_norm(units(140 + seed, 1 + 3 * seed));
    check_norm(random_doubles(200 + seed, 1 + seed, -1074, 971));
    check_norm(random_doubles(300 + seed, 50, -1074, -1060));
    check_norm(random_doubles(400 + seed, 50, 960, 971));
  }
}

TEST_CASE("roots half way between two doubles go to the even one, and a bit more decides") {
  const Random random(7);
  for (std::uint64_t i = 0; i < 100; ++i) {
    // (m + 1/2)² = m² + m + 1/4, exactly.
    const double m = static_cast<double>((random.bits(i) >> 12) | std::uint64_t{1} << 52);
    const double even = std::fmod(m, 2.0) == 0.0 ? m : m + 1;
    for (const int scale : {0, 900, -1126}) {
      const double unit = std::ldexp(1.0, scale / 2);
      ExactSum square;
      square.add_product(m * unit, m * unit);
      square.add_product(m * unit, unit);
      square.add_product(unit / 2, unit / 2);
      CHECK(same(square.round_root(), even * unit));
      ExactSum more = square;
      more.add_product(smallest, smallest);
      CHECK(same(more.round_root(), (m + 1) * unit));
      square.add_product(smallest, -smallest);
      CHECK(same(square.round_root(), m * unit));
    }
  }
}

TEST_CASE("roots of small integers are the hardware's") {
  for (int i = 0; i <= 2000; ++i) {
    ExactSum sum;
    sum.add(static_cast<double>(i));
    CHECK(same(sum.round_root(), std::sqrt(static_cast<double>(i))));
  }
}

TEST_CASE("roots of what has none, or is special") {
  const auto root_of = [](const Terms& terms) {
    ExactSum sum;
    sum.add(terms);
    return sum.round_root();
  };
  CHECK(same(root_of({}), 0.0));
  CHECK(same(root_of({-0.0}), -0.0));
  CHECK(same(root_of({2.25}), 1.5));
  CHECK(same(root_of({-smallest}), not_a_number));
  CHECK(same(root_of({-infinity}), not_a_number));
  CHECK(same(root_of({infinity}), infinity));
  CHECK(same(root_of({not_a_number}), not_a_number));
  CHECK(same(root_of({largest}), std::sqrt(largest)));
  CHECK(same(root_of({smallest}), 0x1p-537));
}
