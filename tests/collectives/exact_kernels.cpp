// Sums and dot products of many terms: with every kernel that this machine has, and with none,
// against big integers. The hard cases are those of the literature (see exact_kernels.hpp) and
// those at the edges of slices, blocks and vectors.

#include "exact_kernels.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "each_kernel.hpp"

using namespace cairn;
using namespace test;

TEST_CASE("the machine has kernels, and the fastest is chosen or the one that CAIRN_SIMD names") {
  const auto available = exact::available_kernels();
  REQUIRE(!available.empty());
  CHECK(std::string(available.front()->name) == "scalar");
  const char* wish = std::getenv("CAIRN_SIMD");
  const auto* expected = available.back();  // also where the machine lacks what is wished for
  for (const auto* kernels : available) {
    if (wish != nullptr && std::string(wish) == kernels->name) expected = kernels;
  }
  CHECK(exact::chosen_kernels() == expected);
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
      const auto seed = static_cast<std::uint64_t>(width) * 10000 + std::bit_cast<unsigned>(last);
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
