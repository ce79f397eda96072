#include "exchange.hpp"

#include <climits>
#include <cstddef>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"

namespace cairn::cg {

namespace {

void expect_countable(std::uint64_t words) {
  if (words <= INT_MAX) return;
  throw Error(Errc::usage,
              "more than 2^31 words cross the borders of one rank's rows; use more "
              "ranks, or number the rows so that neighbours stand together");
}

}  // namespace

Incoming exchange_lists(const Communicator& comm,
                        const std::vector<std::vector<std::uint64_t>>& to) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  std::vector<std::uint64_t> out;
  std::vector<std::uint64_t> sizes(ranks);
  std::vector<std::uint64_t> sizes_in(ranks);
  together(comm, [&] {
    for (std::size_t r = 0; r < ranks; ++r) {
      sizes[r] = to[r].size();
      out.insert(out.end(), to[r].begin(), to[r].end());
    }
    expect_countable(out.size());
  });
  all_to_all(comm, std::span<const std::uint64_t>(sizes), std::span(sizes_in));

  Incoming received;
  std::vector<int> counts(sizes.begin(), sizes.end());
  std::vector<int> displacements(ranks);
  std::vector<int> displacements_in(ranks);
  together(comm, [&] {
    std::uint64_t total = 0;
    for (const auto size : sizes_in) total += size;
    expect_countable(total);
    received.counts.assign(sizes_in.begin(), sizes_in.end());
    received.words.resize(total);
    packed_displacements(counts, displacements);
    packed_displacements(received.counts, displacements_in);
  });
  all_to_all_v(comm, std::span<const std::uint64_t>(out), {counts, displacements},
               std::span(received.words), {received.counts, displacements_in});
  return received;
}

}  // namespace cairn::cg
