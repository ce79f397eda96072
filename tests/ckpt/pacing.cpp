#include "pacing.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace cairn::ckpt;
using Advice = Pacing::Advice;

namespace {

/// Seconds lost per second of work when epochs of cost C come every T seconds and failures every M
/// in the mean, by Daly's complete model without a restart time: M/T (exp((T + C) / M) - 1) - 1.
double waste(double interval, double cost, double mtbf) {
  return mtbf / interval * (std::exp((interval + cost) / mtbf) - 1) - 1;
}

}  // namespace

TEST_CASE("the optimal interval wastes no more than any other") {
  for (const double mtbf : {600.0, 86400.0, 1e6}) {
    for (const double cost : {0.01, 1.0, 30.0, 100.0}) {
      const double best = waste(optimal_interval(cost, mtbf), cost, mtbf);
      double least = waste(0.1, cost, mtbf);
      for (int i = 1; i < 400; ++i)
        least = std::min(least, waste(0.1 * std::pow(1.05, i), cost, mtbf));
      CHECK(best <= least * 1.01 + 1e-12);
    }
  }
  CHECK(optimal_interval(3000, 1000) == 1000);  // an epoch takes longer than a run lives
}

TEST_CASE("by steps") {
  Pacing pacing({.every = 10}, 0);
  for (std::uint64_t step = 1; step < 100; ++step)
    CHECK((pacing.after_step(step, static_cast<double>(step)) == Advice::save) == (step % 10 == 0));
}

TEST_CASE("by time, from the begin of one epoch to that of the next") {
  Pacing pacing({.interval_seconds = 30}, 1000);
  CHECK(pacing.after_step(1, 1029) == Advice::go_on);
  CHECK(pacing.after_step(2, 1030) == Advice::save);
  pacing.waited(5);
  pacing.saved(1030, 1035);
  CHECK(pacing.after_step(3, 1059) == Advice::go_on);
  CHECK(pacing.after_step(4, 1061) == Advice::save);
}

TEST_CASE("neither by steps nor by time: never") {
  Pacing pacing({}, 0);
  for (std::uint64_t step = 1; step < 100; ++step)
    CHECK(pacing.after_step(step, static_cast<double>(step) * 1e4) == Advice::go_on);
}

TEST_CASE("automatic: after a minute first, then by what an epoch cost") {
  Pacing pacing({.is_automatic = true, .mtbf_seconds = 20'000}, 0);
  CHECK(pacing.after_step(1, 59) == Advice::go_on);
  CHECK(pacing.after_step(2, 60) == Advice::save);
  pacing.waited(4);
  pacing.saved(60, 64);
  CHECK(pacing.interval_seconds() == optimal_interval(4, 20'000));
  CHECK(pacing.interval_seconds() == doctest::Approx(400).epsilon(0.02));
  pacing.waited(12);  // a mean of 8 now
  pacing.saved(460, 472);
  CHECK(pacing.interval_seconds() == optimal_interval(8, 20'000));
}

TEST_CASE("automatic, in the background: what the program waits for counts, not the writing") {
  Pacing pacing({.is_automatic = true, .mtbf_seconds = 200}, 0);
  pacing.waited(0.01);
  pacing.saved(60, 100);                   // 40 s of writing beside the program
  CHECK(pacing.interval_seconds() == 40);  // the optimum would be 2 s
}

TEST_CASE("the limit: a step and twice the longest epoch before it, and never too late") {
  Pacing pacing({.interval_seconds = 100, .limit_seconds = 1000}, 0);
  double now = 0;
  for (std::uint64_t step = 1; step < 1000; ++step) {
    now += step % 7 == 0 ? 12 : 3;  // steps of up to 12 s
    const auto advice = pacing.after_step(step, now);
    const bool is_near = now + 12 + 2 * 20 + 5 >= 1000;
    if (now > 200) CHECK((advice == Advice::save_and_stop) == is_near);
    if (advice == Advice::save_and_stop) break;
    if (advice != Advice::save) continue;
    pacing.waited(20);
    pacing.saved(now, now + 20);
    now += 20;
  }
  CHECK(now + 40 < 1000);
  CHECK(now > 900);
}

TEST_CASE(
    "an epoch that could not be written is tried again an interval later, and costs nothing") {
  Pacing pacing({.interval_seconds = 30}, 0);
  CHECK(pacing.after_step(1, 30) == Advice::save);
  pacing.waited(4);
  pacing.failed(30);
  CHECK(pacing.after_step(2, 59) == Advice::go_on);
  CHECK(pacing.after_step(3, 60) == Advice::save);
}

TEST_CASE("a limit that is over: at once") {
  Pacing pacing({.limit_seconds = -10}, 0);
  CHECK(pacing.after_step(1, 0) == Advice::save_and_stop);
}

TEST_CASE("asked at any moment: by time alone, and a step is what lies between two questions") {
  Pacing pacing({.interval_seconds = 30, .limit_seconds = 1000}, 0);
  for (double now = 1; now < 30; ++now) CHECK(!pacing.is_time(now));
  CHECK(pacing.is_time(30));
  CHECK(pacing.after_step(1, 30) == Advice::save);
  pacing.saved(30, 32);
  CHECK(!pacing.is_time(59));
  CHECK(pacing.is_time(60));
}

TEST_CASE("in the background: the interval is over once, not until the commit") {
  Pacing pacing({.interval_seconds = 30}, 0);
  CHECK(pacing.is_time(30));
  pacing.begun(30);
  CHECK(!pacing.is_time(31));
  pacing.saved(30, 40);
  CHECK(!pacing.is_time(59));
  CHECK(pacing.is_time(60));
}
