// The protocol of stealing under random schedules: each planted mistake is seen.
#include "cairn/loadbalance/steal_trial.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

using cairn::loadbalance::try_many_steals;

TEST_CASE("no violation without a mutant") {
  const auto sum = try_many_steals(500000, 2000, {.ranks = 6});
  INFO("seed " << sum.failing_seed.value_or(0) << ": " << sum.violation);
  CHECK(sum.violations == 0);
  CHECK(sum.pauses > 100);
}

TEST_CASE("every mutant is caught") {
  for (const auto mutant : cairn::loadbalance::all_steal_mutants().subspan(1)) {
    const auto sum = try_many_steals(1, 60000, {.ranks = 6, .mutant = mutant});
    MESSAGE(std::string(name_of(mutant))
            << ": seed " << sum.failing_seed.value_or(0) << ", " << sum.violation);
    CHECK(sum.violations == 1);
  }
}
