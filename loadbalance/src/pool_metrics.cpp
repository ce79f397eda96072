#include "cairn/loadbalance/pool_metrics.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <numeric>
#include <type_traits>

#include "cairn/collectives/collective.hpp"

namespace cairn::loadbalance {

namespace {

static_assert(std::is_trivially_copyable_v<WorkPoolReport>);

/// printf into a string.
template <typename... Values>
std::string text(const char* format, Values... values) {
  char line[256];
  const int length = std::snprintf(line, sizeof line, format, values...);
  return {line, static_cast<std::size_t>(std::clamp(length, 0, int{sizeof line} - 1))};
}

unsigned long long number(std::uint64_t value) { return value; }

constexpr std::size_t shown_ranks = 16;

/// All ranks, or, if they are many, those that worked least and those that worked most.
std::vector<std::size_t> ranks_to_show(std::span<const WorkPoolReport> reports) {
  std::vector<std::size_t> ranks(reports.size());
  std::iota(ranks.begin(), ranks.end(), std::size_t{0});
  if (ranks.size() <= shown_ranks) return ranks;
  std::ranges::stable_sort(ranks, {},
                           [&](std::size_t r) { return reports[r].times.useful_seconds(); });
  ranks.erase(ranks.begin() + shown_ranks / 2, ranks.end() - shown_ranks / 2);
  return ranks;
}

std::string line_of(std::size_t rank, const WorkPoolReport& report) {
  const auto& times = report.times;
  const auto& stealing = report.stealing;
  return text("%6zu %9.3f %9.3f %9.3f %9.3f %9.3f %13llu %7llu %7llu %7llu %12llu", rank,
              times.work_seconds, times.poll_seconds, times.search_seconds, times.idle_seconds,
              times.helpers_work_seconds, number(report.tasks), number(stealing.asked),
              number(stealing.won()), number(stealing.gifts), number(stealing.bytes_got));
}

}  // namespace

PoolMetrics metrics_of(std::span<const WorkPoolReport> reports) {
  PoolMetrics metrics{.ranks = static_cast<int>(reports.size())};
  double most = 0;
  for (const auto& report : reports) {
    metrics.threads += report.threads;
    metrics.runtime_seconds = std::max(metrics.runtime_seconds, report.times.seconds());
    most = std::max(most, report.times.busiest_seconds);
    metrics.total.add(report);
  }
  metrics.total.threads = metrics.threads;
  if (most <= 0) return metrics;
  const double mean = metrics.total.times.useful_seconds() / metrics.threads;
  metrics.load_balance = mean / most;
  metrics.communication_efficiency = most / metrics.runtime_seconds;
  metrics.parallel_efficiency = metrics.load_balance * metrics.communication_efficiency;
  return metrics;
}

std::vector<WorkPoolReport> gather_reports(const Communicator& comm, const WorkPoolReport& mine) {
  std::vector<WorkPoolReport> all(static_cast<std::size_t>(comm.size()));
  all_gather(comm, std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
  return all;
}

std::vector<std::string> lines_of(std::span<const WorkPoolReport> reports) {
  const auto metrics = metrics_of(reports);
  const auto& stealing = metrics.total.stealing;
  const auto& latency = metrics.total.steal_latency;
  std::vector<std::string> lines{
      text("%d threads of %d ranks, %.3f s in the pool", metrics.threads, metrics.ranks,
           metrics.runtime_seconds),
      text("load balance %.3f x communication efficiency %.3f = parallel efficiency %.3f (POP)",
           metrics.load_balance, metrics.communication_efficiency, metrics.parallel_efficiency),
      text("steals: %llu tried, %llu won, %llu gifts; %llu bytes; %llu messages in all",
           number(stealing.asked), number(stealing.won()), number(stealing.gifts),
           number(stealing.bytes_got), number(stealing.messages)),
      text("idle: %llu times parked after asking in vain, %llu naps", number(stealing.parked),
           number(metrics.total.naps))};
  if (latency.count() > 0)
    lines.push_back(
        text("steal latency: half below %g us, 99 %% below %g us, mean %.1f us, "
             "longest %.1f us",
             latency.quantile_us(0.5), latency.quantile_us(0.99), 1e6 * latency.mean_seconds(),
             1e6 * latency.longest_seconds));
  lines.push_back(text("%6s %9s %9s %9s %9s %9s %13s %7s %7s %7s %12s", "rank", "work", "poll",
                       "search", "idle", "helpers", "tasks", "tried", "won", "gifts", "bytes"));
  const auto shown = ranks_to_show(reports);
  for (const auto rank : shown) lines.push_back(line_of(rank, reports[rank]));
  if (shown.size() < reports.size())
    lines.push_back(
        text("(the %zu ranks that worked least and most, of %zu)", shown.size(), reports.size()));
  return lines;
}

}  // namespace cairn::loadbalance
