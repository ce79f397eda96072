// Paxos Commit among ranks that live, hang, and come back.
#include "cairn/consensus/epoch_vote.hpp"

#include <array>
#include <chrono>
#include <thread>
#include <vector>

#include "../support/mpi_test.hpp"
#include "../support/stopped.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/core/error.hpp"

using namespace cairn;
using cairn::consensus::EpochVote;
using cairn::test::Processes;
using cairn::test::world;

namespace {

void sleep_for(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

/// Longer than all acceptors together are patient, and shorter than a rank waits for a decision.
void sleep_over_it(double patience) { sleep_for(3.5 * patience); }

std::vector<int> hosts(int ranks_per_host) {
  std::vector<int> numbers;
  for (int rank = 0; rank < world().size(); ++rank) numbers.push_back(rank / ranks_per_host);
  return numbers;
}

/// Ranks that are about to vote, all of them here.
struct Trial {
  explicit Trial(double patience, int ranks_per_host)
      : vote(world(), hosts(ranks_per_host), patience) {
    barrier(world());
  }

  bool commits(std::uint64_t epoch, std::uint64_t layout = 0) {
    const bool is_committed =
        vote.all_are_here({.incarnation = 1, .epoch = epoch, .layout = layout});
    decisions = 2 * decisions + (is_committed ? 1 : 0);
    return is_committed;
  }
  /// The others do nothing until the late one is here, as in a collective of the program.
  bool commits_together(std::uint64_t epoch, std::uint64_t layout = 0) {
    barrier(world());
    return commits(epoch, layout);
  }

  EpochVote vote;
  std::uint64_t decisions = 1;  ///< a bit each
};

/// Whether what `attempt` says, equal on all ranks, comes true with some patience: on a busy core a
/// rank may be late that should not be.
template <typename Attempt>
bool holds_with_patience(Attempt&& attempt, int ranks_per_host = 1000) {
  for (const double patience : {0.3, 1.0, 3.0}) {
    Trial trial(patience, ranks_per_host);
    const bool is_true = agree(world(), attempt(trial, patience));
    // However late a rank was: what was decided is the same for all.
    CHECK(all_reduce(world(), trial.decisions, Minimum{}) ==
          all_reduce(world(), trial.decisions, Maximum{}));
    if (is_true) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("epochs are committed when all ranks vote, one after the other") {
  for (const double patience : {0.0, 60.0}) {
    EpochVote vote(world(), hosts(3), patience);
    bool all_committed = true;
    for (std::uint64_t epoch = 1; epoch <= 200; ++epoch)
      all_committed = vote.all_are_here({.incarnation = 1, .epoch = epoch}) && all_committed;
    CHECK(all_committed);
    CHECK(vote.silent_ranks().empty());
  }
}

TEST_CASE("whichever rank is late, the epoch is given up by all, and the next one is not") {
  if (world().size() < 3) return;
  constexpr int two_on_a_host = 2;  // so the acceptors are not the first ranks
  for (int late = 0; late < world().size(); ++late) {
    CHECK(holds_with_patience(
        [&](Trial& trial, double patience) {
          if (world().rank() == late) sleep_over_it(patience);
          const bool is_given_up =
              !trial.commits(7, 1) && trial.vote.silent_ranks() == std::vector<int>{late};
          return trial.commits_together(7, 2) && is_given_up;
        },
        two_on_a_host));
  }
}

TEST_CASE("a rank that is stopped in the midst of a vote learns afterwards what was decided") {
  if (world().size() < 4) return;
  const Processes processes(world());
  const int late = world().size() - 1;
  constexpr int stopped = 1;
  CHECK(holds_with_patience([&](Trial& trial, double patience) {
    if (world().rank() == late) {
      sleep_for(0.2 * patience);
      processes.stop(stopped);
      sleep_for(4 * patience + 2);  // longer than it would have waited for a decision
      processes.wake(stopped);
    }
    const bool is_given_up = !trial.commits(1);
    return trial.commits_together(2) && is_given_up;
  }));
}

TEST_CASE("of two ranks the first decides, and without it the second cannot know") {
  if (world().size() != 2) return;
  CHECK(holds_with_patience([](Trial& trial, double patience) {
    if (world().rank() == 1) sleep_over_it(patience);
    return !trial.commits(1) && trial.vote.silent_ranks() == std::vector<int>{1};
  }));
  EpochVote vote(world(), hosts(1), 0.3);
  if (world().is_root()) return sleep_for(5);
  try {
    (void)vote.all_are_here({.incarnation = 1, .epoch = 2});
    FAIL_CHECK("it knows");
  } catch (const Error& error) {
    CHECK(error.code() == Errc::run_again);
  }
}
