/// Did all ranks get their part of an epoch done? One answer, also when a rank hangs.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "cairn/collectives/communicator.hpp"
#include "cairn/consensus/commit.hpp"
#include "cairn/consensus/driver.hpp"
#include "cairn/transport/mpi_transport.hpp"

namespace cairn::consensus {

struct EpochCommitOptions {
  int failures =
      1;  ///< of acceptors that are borne: 2·failures + 1 of them, as far as ranks suffice
  std::chrono::milliseconds tick{5};
  /// An acceptor aborts an epoch for which a rank has not voted for so long (the k-th acceptor
  /// after k times so long). Longer than ranks usually wait for each other at an epoch.
  std::chrono::milliseconds patience{10000};
};

enum class EpochOutcome : std::uint8_t {
  committed,
  aborted,
  undecided  ///< in time: neither may be assumed; poll() may tell later
};

/// Paxos Commit of one epoch after the other among at most 64 ranks, which are the speakers of
/// their nodes. The acceptors are the first ranks; their records are in memory.
///
/// Source: commit.hpp.
class EpochCommit {
 public:
  /// Collective. @throws as MpiTransport; Error{Errc::usage} for more than 64 ranks
  explicit EpochCommit(const Communicator& comm, const EpochCommitOptions& options = {})
      : options_(options), transport_(comm), self_(comm.rank()), ranks_(comm.size()) {
    const int wanted = 2 * std::clamp(options.failures, 0, (acceptors_max - 1) / 2) + 1;
    acceptors_ = first_acceptors(std::min(wanted, (ranks_ - 1) / 2 * 2 + 1));
    check(config({}));
    gate_.early.resize(static_cast<std::size_t>(ranks_));
  }

  /// Votes, and waits for the decision, at most `timeout`. Every rank calls it with equal `id`,
  /// greater than the last one; a rank that does not come costs the epoch and blocks nobody.
  [[nodiscard]] EpochOutcome decide(const EpochId& id, Vote vote,
                                    std::chrono::milliseconds timeout) {
    remember();
    driver_ = std::make_unique<Machine>(config(id), self_, gate_, options_.tick);
    gate_.current = id;
    driver_->propose({vote});
    const auto deadline = Machine::Clock::now() + timeout;
    while (poll() == EpochOutcome::undecided && Machine::Clock::now() < deadline)
      std::this_thread::yield();
    linger();
    return outcome();
  }

  /// Answers the others, and says what is known of the last epoch. Local, does not block.
  EpochOutcome poll() {
    if (driver_) driver_->step_once();
    return outcome();
  }

  /// As MpiMailbox::close.
  [[nodiscard]] transport::MpiMailbox::Closing close(std::chrono::milliseconds patience) {
    return transport_.mailbox().close(patience);
  }

 private:
  using Message = CommitMachine::Message;
  using Mpi = transport::MpiTransport<Message>;
  /// Answers late questions about the epoch before, keeps the latest of each rank for an epoch
  /// that has not begun here, and drops the rest.
  struct Gate {
    Mpi* mpi;
    EpochId current{};
    std::optional<Message> last{};  ///< the decision of the epoch before

    std::vector<std::optional<Message>> early{};

    void offer(const Envelope<Message>& envelope) noexcept { mpi->offer(envelope); }
    std::size_t poll(std::span<Envelope<Message>> room) noexcept {
      std::size_t ready = 0;
      for (NodeIndex from = 0; from < mpi->mailbox().nodes() && ready < room.size(); ++from) {
        auto& message = early[static_cast<std::size_t>(from)];
        if (!message || message->id != current) continue;
        room[ready++] = {from, mpi->self(), *message};
        message.reset();
      }
      return ready + take(room.subspan(ready));
    }
    std::size_t take(std::span<Envelope<Message>> room) noexcept {
      const auto count = mpi->poll(room);
      std::size_t kept = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const auto& got = room[i];
        if (got.message.id == current)
          room[kept++] = got;
        else if (last && got.message.id == last->id && got.message.kind != CommitKind::decide)
          mpi->offer({mpi->self(), got.from, *last});
        else if (got.message.id.epoch > current.epoch)
          early[static_cast<std::size_t>(got.from)] = got.message;
      }
      return kept;
    }
  };
  using Machine = Driver<CommitMachine, Gate>;

  [[nodiscard]] CommitConfig config(const EpochId& id) const {
    CommitConfig config;
    config.id = id;
    config.participants = ranks_;
    config.acceptors = acceptors_;
    config.takeover_ticks =
        static_cast<std::uint32_t>(std::max<std::int64_t>(1, options_.patience / options_.tick));
    return config;
  }

  [[nodiscard]] EpochOutcome outcome() const {
    if (!driver_ || !driver_->machine().is_decision_durable()) return EpochOutcome::undecided;
    return driver_->machine().decision() == Decision::committed ? EpochOutcome::committed
                                                                : EpochOutcome::aborted;
  }

  void remember() {
    gate_.last.reset();
    if (outcome() == EpochOutcome::undecided) return;
    Message message;
    message.kind = CommitKind::decide;
    message.id = gate_.current;
    message.decision = driver_->machine().decision();
    message.prepared = driver_->machine().state().committing;
    gate_.last = message;
  }

  /// The decision may still wait for ranks that have not taken the last message.
  void linger() {
    const auto deadline = Machine::Clock::now() + std::chrono::milliseconds(20);
    while (transport_.mailbox().waiting() > 0 && Machine::Clock::now() < deadline) poll();
  }

  EpochCommitOptions options_;
  Mpi transport_;
  NodeIndex self_;
  int ranks_;
  Bounded<NodeIndex, acceptors_max> acceptors_{};
  Gate gate_{&transport_};
  std::unique_ptr<Machine> driver_;

 public:
  EpochCommit(const EpochCommit&) = delete;  // the gate points into it
  EpochCommit& operator=(const EpochCommit&) = delete;
};

}  // namespace cairn::consensus
