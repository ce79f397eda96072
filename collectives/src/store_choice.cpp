#include "store_choice.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <utility>

#include "reduction_kernels.hpp"
#include "sample_times.hpp"

namespace cairn::detail {

namespace {

using Stores = NodeGroup::Stores;

constexpr std::size_t middle_bytes = 65536;
constexpr int rounds = 2;
constexpr int hops = 4;  // timed together
constexpr int tries = 6;

std::byte* bytes_of(double* values) { return reinterpret_cast<std::byte*>(values); }

template <typename Call>
double seconds_of(Call&& call) {
  const auto begin = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

bool StoreWatch::is_due(std::size_t bytes) noexcept {
  bytes_ += std::min(bytes, most_interval);
  if (interval_ == 0 || bytes_ < interval_) return false;
  bytes_ = 0;
  return true;
}

bool StoreWatch::has_moved(double hop) noexcept {
  if (hop > longest_hop) {
    was_in_vain();
    return false;
  }
  return hop > factor * hop_ || hop * factor < hop_;
}

void StoreWatch::chosen(NodeGroup::Stores stores, double hop) noexcept {
  if (interval_ == 0) {
    interval_ = least_interval;
  } else if (stores == stores_) {
    was_in_vain();
  } else {
    interval_ = std::max(interval_ / 2, least_interval);
  }
  bytes_ = 0;
  stores_ = stores;
  hop_ = hop > longest_hop ? 0.0 : hop;
}

void StoreWatch::was_in_vain() noexcept { interval_ = std::min(2 * interval_, most_interval); }

StoreChoice::StoreChoice(NodeGroup& group, Hop hop)
    : group_(&group), hop_of_rank_(std::move(hop)), values_(middle_bytes / sizeof(double)) {}

void StoreChoice::all_reduce() {
  auto* const data = bytes_of(values_.data());
  group_->all_reduce_by_slots(data, data, values_.size(), reduction_of(MPI_DOUBLE, MPI_SUM));
}

/// On this rank, of one call with new inputs that all begin together.
double StoreChoice::seconds_of_call() {
  std::fill(values_.begin(), values_.end(), 1.0);
  group_->barrier();
  return seconds_of([&] { all_reduce(); });
}

/// Either way is only itself when the whole ring has been written so, since it leaves the lines in
/// another place; so each gets the ring to itself for a while, twice.
void StoreChoice::choose() {
  ++choices_;
  // Where a call may wait for a core there is little to find out.
  const std::size_t calls = group_->oversubscribed() ? 1 : group_->ring_bytes() / middle_bytes;
  const auto warm_up = [&] {
    for (std::size_t i = 0; i < calls; ++i) (void)seconds_of_call();
  };
  std::array<std::array<SampleTimes, rounds>, 2> times{};
  for (int round = 0; round < rounds; ++round) {
    for (const auto stores : {Stores::cached, Stores::streaming}) {
      group_->set_stores(stores);
      warm_up();
      auto& samples = times[static_cast<std::size_t>(stores)][static_cast<std::size_t>(round)];
      for (double& sample : samples) sample = seconds_of_call();
    }
  }
  // Of the slowest rank.
  auto* const all_times = times.front().front().data();
  group_->all_reduce(bytes_of(all_times), bytes_of(all_times), sizeof times / sizeof(double),
                     reduction_of(MPI_DOUBLE, MPI_MAX));
  const auto fastest = [&](Stores stores) {
    double least = std::numeric_limits<double>::max();
    for (const auto& samples : times[static_cast<std::size_t>(stores)])
      least = std::min(least, median(samples));
    return least;
  };
  stores_ =
      fastest(Stores::streaming) < fastest(Stores::cached) ? Stores::streaming : Stores::cached;
  group_->set_stores(stores_);
  if (stores_ != Stores::streaming) warm_up();  // the ring was written the other way last
  watch_.chosen(stores_, hop());
}

void StoreChoice::keep_right(std::size_t bytes) {
  if (group_->size() == 1 || group_->oversubscribed() || !watch_.is_due(bytes)) return;
  ++looks_;
  if (watch_.has_moved(hop())) choose();
}

/// That of rank 0, on all ranks.
double StoreChoice::hop() {
  double seconds = hop_of_rank_ ? hop_of_rank_() : measured_hop();
  group_->bcast(bytes_of(&seconds), sizeof seconds, 0);
  return seconds;
}

/// Seconds of a barrier: the shortest of a few short rows, since only where nothing else comes
/// between is it the distance of the cores. Where the first row is none, the others tell no more.
double StoreChoice::measured_hop() {
  const auto row = [&] {
    return seconds_of([&] {
             for (int k = 0; k < hops; ++k) group_->barrier();
           }) /
           hops;
  };
  group_->barrier();
  double least = row();
  double first = least;
  group_->bcast(bytes_of(&first), sizeof first, 0);
  if (first > StoreWatch::longest_hop) return first;
  for (int i = 1; i < tries; ++i) least = std::min(least, row());
  return least;
}

}  // namespace cairn::detail
