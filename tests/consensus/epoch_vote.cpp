// Paxos Commit among ranks that live, hang, and come back.
#include "cairn/consensus/epoch_vote.hpp"

#include <chrono>
#include <thread>

#include "../support/mpi_test.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/error.hpp"

using namespace cairn;
using cairn::consensus::EpochVote;
using cairn::test::world;

namespace {

constexpr double patience = 0.3;

/// Longer than all acceptors together are patient, and shorter than a rank waits for a decision.
void sleep_over_it() { std::this_thread::sleep_for(std::chrono::duration<double>(3.5 * patience)); }

}  // namespace

TEST_CASE("epochs are committed when all ranks vote, one after the other") {
  for (const double seconds : {0.0, 10.0}) {
    EpochVote vote(world(), seconds);
    bool all_committed = true;
    for (std::uint64_t epoch = 1; epoch <= 200; ++epoch)
      all_committed = vote.all_are_here({.incarnation = 1, .epoch = epoch}) && all_committed;
    CHECK(all_committed);
  }
}

TEST_CASE("whichever rank is late, the epoch is given up by all, and the next one is not") {
  if (world().size() < 3) return;
  EpochVote vote(world(), patience);
  std::uint64_t attempt = 0;
  for (int late = 0; late < world().size(); ++late) {
    barrier(world());
    if (world().rank() == late) sleep_over_it();
    CHECK_FALSE(vote.all_are_here({.incarnation = 1, .epoch = 7, .layout = ++attempt}));
    CHECK(vote.silent_ranks() == std::vector<int>{late});
    // The others do nothing until the late one is here, as in a collective of the program.
    barrier(world());
    CHECK(vote.all_are_here({.incarnation = 1, .epoch = 7, .layout = ++attempt}));
    CHECK(vote.silent_ranks().empty());
  }
}

TEST_CASE("of two ranks the first decides, and without it the second cannot know") {
  if (world().size() != 2) return;
  EpochVote vote(world(), patience);
  barrier(world());
  if (world().rank() == 1) sleep_over_it();
  CHECK_FALSE(vote.all_are_here({.incarnation = 1, .epoch = 1}));
  CHECK(vote.silent_ranks() == std::vector<int>{1});
  barrier(world());
  if (world().is_root()) {
    std::this_thread::sleep_for(std::chrono::duration<double>(10 * patience));
  } else {
    try {
      (void)vote.all_are_here({.incarnation = 1, .epoch = 2});
      FAIL_CHECK("it knows");
    } catch (const Error& error) {
      CHECK(error.code() == Errc::run_again);
    }
  }
}
