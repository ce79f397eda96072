#include "cairn/loadbalance/pool_telemetry.hpp"

#include <algorithm>
#include <array>

#include "cairn/loadbalance/steal_network.hpp"
#include "cairn/trace/trace.hpp"

namespace cairn::loadbalance::detail {

namespace {

using std::chrono::milliseconds, std::chrono::nanoseconds;

/// A picture of a run has about 1000 columns: finer slots would not be seen.
nanoseconds slot_length(nanoseconds so_far) {
  return std::clamp<nanoseconds>(so_far / 500, milliseconds(1), milliseconds(100));
}

/// What the first thread did most between two reports.
PoolState most_of(const PoolTimes& before, const PoolTimes& after) {
  const std::array spent{
      after.work_seconds - before.work_seconds, after.poll_seconds - before.poll_seconds,
      after.search_seconds - before.search_seconds, after.idle_seconds - before.idle_seconds};
  return static_cast<PoolState>(std::ranges::max_element(spent) - spent.begin());
}

constexpr std::array names{"pool.work", "pool.poll", "pool.search", "pool.idle"};  // by PoolState

std::int64_t ns_of(PoolTime time) { return nanoseconds(time.time_since_epoch()).count(); }

}  // namespace

PoolTimeline::PoolTimeline(PoolTime begin, int threads)
    : begin_(begin), slot_(begin), span_(begin), threads_(threads) {
  if (!trace::is_on()) return;
  end_ = begin + slot_length({});
  offset_ns_ = trace::now_ns() - ns_of(std::chrono::steady_clock::now());
  trace::counter("pool.busy", 0);  // what was before a run, as a checkpoint, is not its work
}

void PoolTimeline::add(PoolTime now, const PoolTimes& times, std::uint64_t steals) {
  const double seconds = seconds_of(now - slot_);
  if (seconds <= 0) return;
  const auto state = most_of(before_, times);
  if (state != state_) {
    write_span(slot_);
    span_ = slot_;
    state_ = state;
  }
  const double useful = times.useful_seconds() - before_.useful_seconds();
  trace::counter("pool.busy", std::clamp(useful / (threads_ * seconds), 0.0, 1.0));
  trace::counter("pool.steals_per_second", static_cast<double>(steals - steals_before_) / seconds);
  before_ = times;
  steals_before_ = steals;
  slot_ = now;
  end_ = now + slot_length(now - begin_);
}

void PoolTimeline::finish(PoolTime now, const PoolTimes& times, std::uint64_t steals) {
  if (end_ == PoolTime::max()) return;
  add(now, times, steals);
  write_span(now);
}

void PoolTimeline::write_span(PoolTime until) const {
  if (until > span_)
    trace::stretch(names[static_cast<std::size_t>(state_)], ns_of(span_) + offset_ns_,
                   ns_of(until) + offset_ns_);
}

// --- all of it -----------------------------------------------------------------------------

PoolTelemetry::PoolTelemetry(const StealNetwork& network, int threads, const Pulse& pulse,
                             double pulse_seconds)
    : network_(network),
      pulse_(pulse),
      // A day at most, so that no clock runs over.
      between_pulses_(static_cast<std::int64_t>(1e9 * std::clamp(pulse_seconds, 0.0, 86400.0))),
      meters_(static_cast<std::size_t>(threads)) {}

void PoolTelemetry::begin() {
  clock_ = {};
  timeline_ = PoolTimeline(now(), static_cast<int>(meters_.size()));
  last_pulse_ = now();
  if (pulse_) next_pulse_ = now() + between_pulses_;
}

PoolTimes PoolTelemetry::times() const {
  auto all = clock_.times();
  all.busiest_seconds = all.work_seconds;
  for (std::size_t t = 1; t < meters_.size(); ++t) {
    const double work = meters_[t].work_seconds(now());
    all.helpers_work_seconds += work;
    all.busiest_seconds = std::max(all.busiest_seconds, work);
  }
  return all;
}

void PoolTelemetry::beat(std::uint64_t waiting) {
  if (timeline_.is_due(now())) timeline_.add(now(), times(), network_.counts().got);
  if (now() >= next_pulse_) call_pulse(waiting);
}

void PoolTelemetry::call_pulse(std::uint64_t waiting) {
  std::uint64_t tasks = 0;
  for (const auto& meter : meters_) tasks += meter.tasks();
  const double since = seconds_of(now() - last_pulse_);
  const auto more = static_cast<double>(tasks - tasks_at_pulse_);
  last_pulse_ = now();
  next_pulse_ = now() + between_pulses_;
  tasks_at_pulse_ = tasks;
  pulse_({.seconds = clock_.seconds(),
          .tasks = tasks,
          .tasks_per_second = since > 0 ? more / since : 0,
          .waiting = waiting,
          .network = &network_});
  clock_.spent(PoolState::poll);
}

void PoolTelemetry::finish(int threads, WorkPoolReport& report) {
  clock_.spent(PoolState::idle);
  report.threads = threads;
  report.times = times();
  report.steal_latency = network_.latency();
  timeline_.finish(now(), report.times, report.stealing.got);
}

}  // namespace cairn::loadbalance::detail
