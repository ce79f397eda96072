#include "cairn/loadbalance/pool_report.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>

#include "cairn/loadbalance/latency.hpp"
#include "cairn/loadbalance/steal_network.hpp"

namespace cairn::loadbalance {

void LatencyHistogram::add(std::chrono::nanoseconds took) noexcept {
  const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(0, took.count()) / 1000);
  ++counts[std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(us)), bins - 1)];
  const double seconds = std::chrono::duration<double>(took).count();
  total_seconds += seconds;
  longest_seconds = std::max(longest_seconds, seconds);
}

void LatencyHistogram::add(const LatencyHistogram& other) noexcept {
  for (std::size_t i = 0; i < bins; ++i) counts[i] += other.counts[i];
  total_seconds += other.total_seconds;
  longest_seconds = std::max(longest_seconds, other.longest_seconds);
}

std::uint64_t LatencyHistogram::count() const noexcept {
  std::uint64_t all = 0;
  for (const auto n : counts) all += n;
  return all;
}

double LatencyHistogram::mean_seconds() const noexcept {
  const auto all = count();
  return all == 0 ? 0 : total_seconds / static_cast<double>(all);
}

double LatencyHistogram::upper_us(std::size_t i) noexcept {
  return std::ldexp(1.0, static_cast<int>(i));
}

double LatencyHistogram::quantile_us(double share) const noexcept {
  const double wanted = share * static_cast<double>(count());
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < bins; ++i) {
    below += counts[i];
    if (below > 0 && static_cast<double>(below) >= wanted) return upper_us(i);
  }
  return 0;
}

void PoolTimes::add(const PoolTimes& other) noexcept {
  work_seconds += other.work_seconds;
  poll_seconds += other.poll_seconds;
  search_seconds += other.search_seconds;
  idle_seconds += other.idle_seconds;
  helpers_work_seconds += other.helpers_work_seconds;
  busiest_seconds += other.busiest_seconds;
}

void WorkPoolReport::add(const WorkPoolReport& part) noexcept {
  tasks += part.tasks;
  shared += part.shared;
  naps += part.naps;
  stealing.asked += part.stealing.asked;
  stealing.asked_on_host += part.stealing.asked_on_host;
  stealing.parked += part.stealing.parked;
  stealing.got += part.stealing.got;
  stealing.gifts += part.stealing.gifts;
  stealing.given += part.stealing.given;
  stealing.bytes_got += part.stealing.bytes_got;
  stealing.messages += part.stealing.messages;
  stealing.waves += part.stealing.waves;
  threads = std::max(threads, part.threads);
  times.add(part.times);
  steal_latency.add(part.steal_latency);
}

std::string PoolPulse::describe() const {
  char numbers[160];
  std::snprintf(numbers, sizeof numbers, "after %.1f s: %llu tasks done, %llu at hand", seconds,
                static_cast<unsigned long long>(tasks), static_cast<unsigned long long>(waiting));
  return network == nullptr ? numbers : std::string(numbers) + "; " + network->describe();
}

}  // namespace cairn::loadbalance
