#include "cairn/loadbalance/pool_metrics.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "cairn/loadbalance/latency.hpp"
#include "cairn/loadbalance/pool_telemetry.hpp"

using namespace cairn::loadbalance;
using namespace std::chrono_literals;

namespace {

/// One thread that worked `work` of `seconds`.
WorkPoolReport worked(double work, double seconds) {
  return {.tasks = 10,
          .stealing = {.asked = 3, .got = 3, .gifts = 1, .bytes_got = 77},
          .threads = 1,
          .times = {.work_seconds = work, .idle_seconds = seconds - work, .busiest_seconds = work}};
}

std::string all_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

}  // namespace

TEST_CASE("POP metrics of ranks with one thread: mean over most, most over runtime") {
  // 8, 4, 4, 0 s of 10 s: mean 4, most 8.
  const std::vector<WorkPoolReport> reports{worked(8, 10), worked(4, 10), worked(4, 9),
                                            worked(0, 8)};
  const auto metrics = metrics_of(reports);
  CHECK(metrics.load_balance == doctest::Approx(0.5));
  CHECK(metrics.communication_efficiency == doctest::Approx(0.8));
  CHECK(metrics.parallel_efficiency == doctest::Approx(0.4));
  CHECK(metrics.runtime_seconds == doctest::Approx(10));
  CHECK(metrics.threads == 4);
  CHECK(metrics.total.tasks == 40);
  CHECK(metrics.total.stealing.asked == 12);
}

TEST_CASE("every thread counts alike, on ranks of different width") {
  // One thread with 6 s; two with 6 s and 3 s: mean 5, most 6, of 10 s.
  auto wide = worked(3, 10);
  wide.threads = 2;
  wide.times.helpers_work_seconds = 6;
  wide.times.busiest_seconds = 6;
  const auto metrics = metrics_of(std::vector{worked(6, 10), wide});
  CHECK(metrics.load_balance == doctest::Approx(5. / 6));
  CHECK(metrics.communication_efficiency == doctest::Approx(0.6));
  CHECK(metrics.parallel_efficiency == doctest::Approx(0.5));
}

TEST_CASE("all work all the time is 1; so is nothing at all") {
  CHECK(metrics_of(std::vector(3, worked(5, 5))).parallel_efficiency == doctest::Approx(1));
  CHECK(metrics_of(std::vector<WorkPoolReport>{{}}).parallel_efficiency == 1);
  CHECK(metrics_of({}).load_balance == 1);
}

TEST_CASE("parts of a run add up") {
  auto sum = worked(1, 2);
  sum.add(worked(3, 4));
  CHECK(sum.tasks == 20);
  CHECK(sum.threads == 1);
  CHECK(sum.times.work_seconds == 4);
  CHECK(sum.times.busiest_seconds == 4);
  CHECK(sum.times.seconds() == 6);
  CHECK(sum.stealing.asked == 6);
}

TEST_CASE("bins of the histogram end at powers of two of microseconds") {
  LatencyHistogram histogram;
  CHECK(histogram.quantile_us(0.5) == 0);
  for (const auto took : {0ns, 999ns, 1000ns, 1999ns, 2000ns, 3999ns, 4000ns, 1'000'000ns})
    histogram.add(took);
  CHECK(histogram.counts[0] == 2);
  CHECK(histogram.counts[1] == 2);
  CHECK(histogram.counts[2] == 2);
  CHECK(histogram.counts[3] == 1);
  CHECK(histogram.counts[10] == 1);  // 512 to 1024 µs
  CHECK(histogram.count() == 8);
  CHECK(histogram.quantile_us(0.5) == 2);
  CHECK(histogram.quantile_us(0.75) == 4);
  CHECK(histogram.quantile_us(1) == 1024);
  CHECK(histogram.longest_seconds == doctest::Approx(1e-3));
  histogram.add(std::chrono::hours(48));
  CHECK(histogram.counts[LatencyHistogram::bins - 1] == 1);
  auto twice = histogram;
  twice.add(histogram);
  CHECK(twice.count() == 18);
  CHECK(twice.mean_seconds() == doctest::Approx(histogram.mean_seconds()));
}

TEST_CASE("a meter has what was worked, and what is being worked") {
  detail::WorkMeter meter;
  const auto begin = std::chrono::steady_clock::now();
  meter.begin(begin);
  CHECK(meter.work_seconds(begin + 2s) == doctest::Approx(2));
  meter.end(begin, begin + 3s, 7);
  CHECK(meter.work_seconds(begin + 9s) == doctest::Approx(3));
  CHECK(meter.tasks() == 7);
}

TEST_CASE("lines for people name the metrics and each rank; of many ranks the extremes") {
  const auto few = all_of(lines_of(std::vector{worked(8, 10), worked(4, 10)}));
  CHECK(
      few.find("load balance 0.750 x communication efficiency 0.800 = parallel efficiency 0.600") !=
      std::string::npos);
  CHECK(few.find("steals: 6 tried, 4 won, 2 gifts; 154 bytes;") != std::string::npos);
  const auto row = few.find("\n     1     4.000");
  CHECK(row != std::string::npos);
  CHECK(few.find(" 3       2       1           77\n", row) != std::string::npos);
  std::vector<WorkPoolReport> many;
  for (int r = 0; r < 100; ++r) many.push_back(worked(r, 100));
  const auto lines = lines_of(many);
  CHECK(all_of(lines).find("of 100)") != std::string::npos);
  CHECK(lines.size() < 25);
}
