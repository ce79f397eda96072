#include "chain.hpp"

#include <algorithm>

#include "cairn/collectives/check.hpp"
#include "cairn/collectives/datatype.hpp"

namespace cairn::loadbalance::detail {

namespace {

/// Of our messages on Communicator::internal(), where nobody receives under any tag.
constexpr int token_tag = 101;

/// Limits that one token carries: 6 bits of the answer a sweep.
constexpr std::int64_t limits_at_once = 63;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

/// Up to limits_at_once numbers from low to high - 1, evenly.
std::vector<std::int64_t> limits_between(std::int64_t low, std::int64_t high) {
  const std::int64_t count = std::min(high - low, limits_at_once);
  std::vector<std::int64_t> limits;
  for (std::int64_t i = 0; i < count; ++i)
    limits.push_back(low + (high - low) / count * i + (high - low) % count * i / count);
  return limits;
}

/// A probe: how many ranges are full, and the weight before the open one.
struct Probe {
  std::int64_t& full;
  std::int64_t& before;
};

/// Fills ranges up to `limit` as long as this segment reaches, at most `parts`.
void fill(const Segment& segment, std::int64_t limit, int parts, Probe probe) {
  const auto& weights = segment.weights;
  while (probe.full < parts && weights.back() - probe.before > limit) {
    probe.before = *(std::upper_bound(weights.begin(), weights.end(), probe.before + limit) - 1);
    ++probe.full;
  }
}

/// A sweep over the cuts from the right: the next to place, and the weight before the last placed.
struct FromRight {
  std::int64_t& next;
  std::int64_t& before;
};

/// Places cuts as far to the left as `limit` allows, those that lie in this segment.
void place_lowest(const Chain& chain, std::int64_t limit, FromRight sweep,
                  std::span<std::int64_t> cuts) {
  const auto& weights = chain.segment().weights;
  while (sweep.next > 0 && (chain.is_first() || weights.front() < sweep.before - limit)) {
    const auto at = std::lower_bound(weights.begin(), weights.end(), sweep.before - limit);
    cuts[index(sweep.next--)] = chain.segment().first + (at - weights.begin());
    sweep.before = *at;
  }
}

/// A sweep from the left: the next cut, and where and behind which weight the last one is.
struct FromLeft {
  std::int64_t& next;
  std::int64_t& position;
  std::int64_t& before;
};

struct Row {
  std::span<std::int64_t> positions;
  std::span<std::int64_t> weights;
};

/// Places the cuts that lie in this segment where `wanted`, which ascends, has them, or before,
/// where the limit is.
void place_nearest(const Segment& segment, std::int64_t limit, std::span<const std::int64_t> wanted,
                   FromLeft sweep, Row cuts) {
  const auto& weights = segment.weights;
  const auto parts = static_cast<std::int64_t>(wanted.size()) - 1;
  while (sweep.next < parts) {
    const std::int64_t want = wanted[index(sweep.next)];
    const std::int64_t most = sweep.before + limit;
    if (want > segment.end() && weights.back() <= most) return;
    const auto past = std::upper_bound(weights.begin(), weights.end(), most);
    sweep.position = std::min(want, segment.first + (past - weights.begin()) - 1);
    sweep.before = weights[index(sweep.position - segment.first)];
    cuts.positions[index(sweep.next)] = sweep.position;
    cuts.weights[index(sweep.next++)] = sweep.before;
  }
}

/// The lowest cuts under each limit, known to all.
std::vector<std::int64_t> lowest_cuts(const Chain& chain, const ChainFacts& facts,
                                      std::span<const std::int64_t> limits, std::size_t width) {
  std::vector<std::int64_t> cuts(limits.size() * width, 0);
  std::vector<std::int64_t> token;
  for (std::size_t i = 0; i < limits.size(); ++i)
    token.insert(token.end(), {static_cast<std::int64_t>(width) - 2, facts.total});
  chain.backward(token, [&] {
    for (std::size_t i = 0; i < limits.size(); ++i)
      place_lowest(chain, limits[i], {token[2 * i], token[2 * i + 1]},
                   std::span(cuts).subspan(i * width, width));
  });
  chain.share(cuts);
  return cuts;
}

}  // namespace

void Chain::receive(std::span<std::int64_t> token, int step) const {
  if (comm_ == nullptr) return;
  const int from = comm_->rank() - step;
  if (from < 0 || from >= comm_->size()) return;
  check_mpi(MPI_Recv(token.data(), static_cast<int>(token.size()), datatype_of<std::int64_t>(),
                     from, token_tag, comm_->internal(), MPI_STATUS_IGNORE),
            "MPI_Recv");
}

void Chain::send(std::span<const std::int64_t> token, int step) const {
  if (comm_ == nullptr) return;
  const int to = comm_->rank() + step;
  if (to < 0 || to >= comm_->size()) return;
  check_mpi(MPI_Send(token.data(), static_cast<int>(token.size()), datatype_of<std::int64_t>(), to,
                     token_tag, comm_->internal()),
            "MPI_Send");
}

std::int64_t least_limit(const Chain& chain, const ChainFacts& facts, int parts) {
  // The mean, rounded up, and a single object bound it from below. The present ranges are within
  // what the upper bound allows, and so are ranges that are filled up to the mean and one object.
  const std::int64_t mean = facts.total / parts + (facts.total % parts != 0 ? 1 : 0);
  std::int64_t low = std::max(mean, facts.largest_weight);
  std::int64_t high = std::min(facts.largest_load, mean + facts.largest_weight);
  while (low < high) {
    const auto limits = limits_between(low, high);
    std::vector<std::int64_t> token(2 * limits.size(), 0);
    chain.forward(token, [&] {
      for (std::size_t i = 0; i < limits.size(); ++i)
        fill(chain.segment(), limits[i], parts, {token[2 * i], token[2 * i + 1]});
    });
    chain.tell_from_last(token);
    for (std::size_t i = 0; i < limits.size(); ++i) {
      if (token[2 * i] < parts) {  // and the last range is the open one
        high = limits[i];
        break;
      }
      low = limits[i] + 1;
    }
  }
  return high;
}

Cuts nearest_cuts(const Chain& chain, const ChainFacts& facts, std::span<const std::int64_t> limits,
                  const Ranges& current) {
  const std::size_t width = current.size();
  auto wanted = lowest_cuts(chain, facts, limits, width);
  for (std::size_t i = 0; i < wanted.size(); ++i)
    wanted[i] = std::max(wanted[i], current[i % width]);
  Cuts cuts{std::vector<std::int64_t>(wanted.size(), 0),
            std::vector<std::int64_t>(wanted.size(), 0)};
  std::vector<std::int64_t> token;
  for (std::size_t i = 0; i < limits.size(); ++i) token.insert(token.end(), {1, 0, 0});
  chain.forward(token, [&] {
    for (std::size_t i = 0; i < limits.size(); ++i)
      place_nearest(chain.segment(), limits[i], std::span(wanted).subspan(i * width, width),
                    {token[3 * i], token[3 * i + 1], token[3 * i + 2]},
                    {std::span(cuts.positions).subspan(i * width, width),
                     std::span(cuts.weights).subspan(i * width, width)});
  });
  chain.share(cuts.positions);
  chain.share(cuts.weights);
  for (std::size_t end = width - 1; end < wanted.size(); end += width) {
    cuts.positions[end] = current.back();
    cuts.weights[end] = facts.total;
  }
  return cuts;
}

}  // namespace cairn::loadbalance::detail
