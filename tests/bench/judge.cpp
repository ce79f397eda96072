#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "benchmark.hpp"
#include "cairn/core/random.hpp"

using namespace cairn;
using namespace cairn::bench;

namespace {

/// Groups of a machine that is busy in three of five: there either side gets up to ten times the
/// time, and everywhere both drift and flutter by a few percent.
std::vector<bench::detail::Group> groups(double ratio, std::uint64_t seed) {
  const Random random(seed);
  std::vector<bench::detail::Group> list;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const auto chance = [&](std::uint64_t k) {
      return static_cast<double>(random.below(4 * i + k, 1000)) / 1000.0;
    };
    const double drift = 1.0 + 0.1 * static_cast<double>(i) / 1000.0;
    bench::detail::Group group{ratio * drift * (1.0 + 0.02 * chance(0)),
                               drift * (1.0 + 0.02 * chance(1))};
    if (i % 5 < 3) (chance(2) < 0.7 ? group.ours : group.baseline) *= 1.0 + 9.0 * chance(3);
    list.push_back(group);
  }
  return list;
}

}  // namespace

TEST_CASE("the ratio is found within a percent on a machine that is mostly busy") {
  for (const double ratio : {0.5, 1.0, 1.03, 1.1, 4.0}) {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      auto list = groups(ratio, seed);
      const auto seconds = bench::detail::judge(list);
      CHECK(seconds.ours / seconds.baseline == doctest::Approx(ratio).epsilon(0.01));
      CHECK(seconds.baseline >= 1.0);
      CHECK(seconds.baseline <= 1.12);
    }
  }
}

TEST_CASE("few groups") {
  std::vector<bench::detail::Group> one{{3.0, 2.0}};
  CHECK(bench::detail::judge(one).ours == doctest::Approx(3.0));
  std::vector<bench::detail::Group> five{{90, 1}, {4, 2}, {2, 2}, {1, 90}, {90, 90}};
  CHECK(bench::detail::judge(five).ours == doctest::Approx(3.0));  // {4, 2} and {2, 2}
}
