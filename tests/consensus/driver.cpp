// Paxos Commit driven over MPI.
#include "cairn/consensus/driver.hpp"

#include <doctest/doctest.h>

#include <thread>

#include "../support/mpi_test.hpp"
#include "../support/stopped.hpp"
#include "cairn/collectives/async.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/consensus/commit.hpp"
#include "cairn/consensus/epoch_commit.hpp"
#include "cairn/transport/mpi_transport.hpp"

using namespace std::chrono_literals;
using namespace cairn;
using namespace cairn::consensus;
using cairn::test::world;
using Mpi = transport::MpiTransport<CommitMachine::Message>;
using Kind = CommitMachine::Event::Kind;

namespace {

CommitConfig config() {
  CommitConfig config;
  config.id = {1, 1, 0};
  config.participants = world().size();
  config.acceptors = first_acceptors(world().size() < 3 ? 1 : 3);
  return config;
}

template <typename D>
Kind decision(D& driver) {
  while (true) {
    if (!driver.step_once()) std::this_thread::yield();
    if (const auto event = driver.take_event()) return event->kind;
  }
}

/// Goes on for those who do not know it yet.
template <typename D>
void serve_until_all_know(D& driver) {
  auto all = barrier(async(world()));
  while (!all.test()) {
    driver.step_once();
    std::this_thread::yield();
  }
}

}  // namespace

TEST_CASE("all are prepared: committed everywhere; one is not: aborted everywhere") {
  for (const auto last : {Vote::prepared, Vote::aborted}) {
    Mpi mpi(world());
    auto with = config();
    with.takeover_ticks = 1'000'000;
    Driver<CommitMachine, Mpi> driver(with, world().rank(), mpi, 2ms);
    driver.propose({world().rank() == world().size() - 1 ? last : Vote::prepared});
    CHECK(decision(driver) == (last == Vote::prepared ? Kind::committed : Kind::aborted));
    serve_until_all_know(driver);
    CHECK(mpi.mailbox().close(50s) == transport::MpiMailbox::Closing::clean);
  }
}

TEST_CASE("a rank that is stopped before it votes costs the epoch, and learns so when it wakes") {
  if (world().size() < 4) return;
  for (const int victim : {world().size() - 1, 0}) {
    Mpi mpi(world());
    Driver<CommitMachine, Mpi> driver(config(), world().rank(), mpi, 5ms);
    const test::Processes ranks(world());
    barrier(world());
    const int watcher = 1;
    if (world().rank() == watcher) ranks.stop(victim);
    if (world().rank() != victim) driver.propose({Vote::prepared});
    CHECK(decision(driver) == Kind::aborted);
    if (world().rank() == watcher) ranks.wake(victim);
    serve_until_all_know(driver);
    CHECK(mpi.mailbox().close(50s) == transport::MpiMailbox::Closing::clean);
  }
}

TEST_CASE("one epoch after the other") {
  EpochCommit commit(world(), {.tick = 2ms, .patience = 5000ms});
  for (std::uint64_t epoch = 1; epoch <= 20; ++epoch) {
    const bool is_bad = epoch % 5 == 0 && world().rank() == world().size() - 1;
    CHECK(commit.decide({1, epoch, 0}, is_bad ? Vote::aborted : Vote::prepared, 50s) ==
          (epoch % 5 == 0 ? EpochOutcome::aborted : EpochOutcome::committed));
  }
  auto all = barrier(async(world()));
  while (!all.test()) commit.poll();
  CHECK(commit.close(50s) == transport::MpiMailbox::Closing::clean);
}

TEST_CASE("a rank that is stopped costs the epoch, and hears so when it asks") {
  if (world().size() < 4) return;
  EpochCommit commit(world(), {.tick = 2ms, .patience = 20ms});
  const int victim = world().size() - 1;
  const test::Processes ranks(world());
  barrier(world());
  if (world().rank() == 1) ranks.stop(victim);
  const auto outcome = world().rank() == victim ? EpochOutcome::aborted
                                                : commit.decide({1, 1, 0}, Vote::prepared, 30s);
  CHECK(outcome == EpochOutcome::aborted);
  if (world().rank() == 1) ranks.wake(victim);
  auto all = barrier(async(world()));
  while (!all.test()) commit.poll();
  // It asks late, and the others answer.
  if (world().rank() == victim)
    CHECK(commit.decide({1, 1, 0}, Vote::prepared, 30s) == EpochOutcome::aborted);
  auto end = barrier(async(world()));
  while (!end.test()) commit.poll();
  CHECK(commit.close(50s) == transport::MpiMailbox::Closing::clean);
}
