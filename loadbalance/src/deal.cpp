#include "cairn/loadbalance/deal.hpp"

#include "cairn/collectives/sparse.hpp"
#include "cairn/collectives/unknown_counts.hpp"

namespace cairn::loadbalance::detail {

namespace {

/// Of the tasks of all ranks, in their order.
std::vector<double> of_all(const Communicator& comm, std::span<const double> weights) {
  Parts<double> parts;
  all_gather_v(comm, weights, parts);
  return {parts.values().begin(), parts.values().end()};
}

}  // namespace

std::vector<int> dealt(const Communicator& comm, Policy policy, std::size_t tasks,
                       std::span<const double> weights) {
  std::vector<std::uint64_t> counts;
  all_gather(comm, static_cast<std::uint64_t>(tasks), into(counts));
  std::size_t before = 0, all = 0;
  for (std::size_t rank = 0; rank < counts.size(); ++rank) {
    if (rank < static_cast<std::size_t>(comm.rank())) before += counts[rank];
    all += counts[rank];
  }
  const auto known = of_all(comm, weights);
  // What is left of a run has tasks of all ages in order: dealt out in turn, each gets some of all.
  if (policy == Policy::repartition)
    policy = known.size() == all && all > 0 ? Policy::weighted : Policy::round_robin;
  return together(comm, [&] {
    const Schedule schedule = schedule_of(policy, all, known, comm.size());
    const auto first = schedule.begin() + static_cast<std::ptrdiff_t>(before);
    return std::vector<int>(first, first + static_cast<std::ptrdiff_t>(tasks));
  });
}

std::vector<std::byte> exchanged(const Communicator& comm,
                                 std::span<const std::vector<std::byte>> parts) {
  Outbox<std::byte> out;
  for (std::size_t rank = 0; rank < parts.size(); ++rank)
    if (!parts[rank].empty()) out.add(static_cast<int>(rank), parts[rank]);
  Inbox<std::byte> in;
  sparse_exchange(comm, out, in);
  std::vector<std::byte> come;
  for (const auto& message : in) come.insert(come.end(), message.data.begin(), message.data.end());
  return come;
}

}  // namespace cairn::loadbalance::detail
