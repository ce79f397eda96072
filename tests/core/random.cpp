#include "cairn/core/random.hpp"

#include <Random123/philox.h>
#include <doctest/doctest.h>

#include <set>

using namespace cairn;

TEST_CASE("philox_4x32_10 gives the published known answers") {
  // Random123's kat_vectors: philox4x32, 10 rounds.
  using Words = std::array<std::uint32_t, 4>;
  CHECK(philox_4x32_10({0, 0, 0, 0}, {0, 0}) ==
        Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr std::uint32_t ones = 0xffffffff;
  CHECK(philox_4x32_10({ones, ones, ones, ones}, {ones, ones}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(
      philox_4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
      Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("philox_4x32_10 agrees with its authors' Random123") {
  r123::Philox4x32 reference;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const auto expected = reference({{i, 7 * i, ~i, 3}}, {{i * i, 42}});
    CHECK(philox_4x32_10({i, 7 * i, ~i, 3}, {i * i, 42}) ==
          std::array<std::uint32_t, 4>{expected[0], expected[1], expected[2], expected[3]});
  }
}

TEST_CASE("streams differ, uniform stays in [0, 1), below stays below") {
  std::set<std::uint64_t> seen;
  for (std::uint64_t stream = 0; stream < 4; ++stream) {
    const Random random(7, stream);
    double sum = 0;
    for (std::uint64_t i = 0; i < 1000; ++i) {
      seen.insert(random.bits(i));
      const double value = random.uniform(i);
      CHECK(value >= 0);
      CHECK(value < 1);
      sum += value;
      CHECK(random.below(i, 10) < 10);
    }
    CHECK(sum == doctest::Approx(500).epsilon(0.1));  // 500 ± 5 standard deviations of 9.1
  }
  CHECK(seen.size() == 4000);
}
