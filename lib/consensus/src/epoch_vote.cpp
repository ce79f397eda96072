#include "cairn/consensus/epoch_vote.hpp"

#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"
#include "cairn/transport/mpi_transport.hpp"

namespace cairn::consensus {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds tick_length{20};
constexpr std::chrono::milliseconds late{500};
constexpr std::uint32_t for_ever = std::uint32_t{1} << 30;
constexpr std::uint32_t retry_ticks = 10;
constexpr int acceptors_wanted = 3;
/// How long what is under way may take to reach ranks that answer.
constexpr std::chrono::seconds last_words{1};
constexpr std::chrono::seconds closing_patience{2};
/// Looks before a rank gives way to others; where they outnumber the cores MPI does so by itself.
constexpr int looks = 8;
/// Waiting costs a core so long; then it sleeps in between.
constexpr std::chrono::milliseconds spinning{2};
constexpr std::chrono::microseconds nap{200};

std::uint32_t ticks_in(double seconds) {
  if (seconds <= 0) return for_ever;
  const double ticks = std::ceil(seconds / std::chrono::duration<double>(tick_length).count());
  return static_cast<std::uint32_t>(std::min<double>(ticks, for_ever));
}

/// Does something at the start of MPI_Finalize, whoever calls it, unless it has gone before. (MPI
/// first deletes the attributes of MPI_COMM_SELF; MPI 3.1, section 8.7.1.)
class AtFinalize {
 public:
  explicit AtFinalize(std::function<void()> work) : work_(std::move(work)) {
    check_mpi(MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, &call, &key_, nullptr),
              "MPI_Comm_create_keyval");
    check_mpi(MPI_Comm_set_attr(MPI_COMM_SELF, key_, this), "MPI_Comm_set_attr");
  }
  AtFinalize(const AtFinalize&) = delete;
  AtFinalize& operator=(const AtFinalize&) = delete;
  ~AtFinalize() {
    int is_over = 0;
    MPI_Finalized(&is_over);
    if (is_over != 0) return;
    is_on_ = false;
    MPI_Comm_delete_attr(MPI_COMM_SELF, key_);  // an error here would have no one to go to
    MPI_Comm_free_keyval(&key_);
  }

 private:
  static int call(MPI_Comm /*self*/, int /*key*/, void* self, void* /*state*/) {
    const auto& hook = *static_cast<AtFinalize*>(self);
    if (hook.is_on_) hook.work_();
    return MPI_SUCCESS;
  }

  std::function<void()> work_;
  bool is_on_ = true;
  int key_ = MPI_KEYVAL_INVALID;
};

}  // namespace

class EpochVote::Rounds {
 public:
  virtual ~Rounds() = default;
  /// Whether no message is under way any more; may be called again.
  virtual bool close() noexcept = 0;
  /// Decision::none when it cannot be learned.
  virtual Decision decide(const EpochId& id, std::vector<int>& silent) = 0;
};

namespace {

template <int capacity>
class RoundsOf final : public EpochVote::Rounds {
 public:
  RoundsOf(const Communicator& comm, std::span<const int> hosts, double patience_seconds)
      : transport_(comm, {.lanes = lanes}), out_(std::make_unique<Output>()) {
    config_.participants = comm.size();
    config_.acceptors =
        spread_acceptors(hosts, comm.size() < acceptors_wanted ? 1 : acceptors_wanted);
    config_.retry_ticks = retry_ticks;
    config_.takeover_ticks = ticks_in(patience_seconds);
  }

  bool close() noexcept override {
    try {
      return transport_.mailbox().close(closing_patience) == Closing::clean;
    } catch (const std::exception&) {  // MPI is broken, which others tell
      return false;
    }
  }

  Decision decide(const EpochId& id, std::vector<int>& silent) override {
    config_.id = id;
    Machine machine(config_, transport_.self(), {});
    is_answering_ = false;
    machine.propose({Vote::prepared}, *out_);
    obey(machine);
    for (const auto& letter : std::exchange(early_, {})) read(machine, letter);
    const auto begin = Clock::now();
    auto next_tick = begin + tick_length;
    double ticks = 0;
    while (!machine.is_decision_durable()) {
      const bool has_heard = look(machine);
      const auto now = Clock::now();
      // Ticks that a busy core has made late are made up for, those of a stopped process are not.
      if (now - next_tick >= late) next_tick = now;
      for (; now >= next_tick && !machine.is_decision_durable(); next_tick += tick_length) {
        ++ticks;
        machine.tick(*out_);
        obey(machine);
      }
      if (!has_heard) {
        if (ticks > last_tick()) return Decision::none;
        rest(now - begin);
      }
      transport_.mailbox().check();
    }
    const auto decided = Clock::now();
    while (transport_.mailbox().waiting(decisions) > 0 && Clock::now() - decided < last_words) {
      if (!hear(machine)) rest(Clock::now() - decided);
    }
    silent.clear();
    for (int rank = 0; rank < config_.participants; ++rank)
      if (!machine.state().committing.contains(rank)) silent.push_back(rank);
    return machine.decision();
  }

 private:
  using Machine = BasicCommitMachine<capacity, Faithful>;
  using Output = typename Machine::Output;
  using Letter = Envelope<typename Machine::Message>;
  using Transport = transport::MpiTransport<typename Machine::Message>;
  using Closing = transport::MpiMailbox::Closing;

  /// Each acceptor has had its turn to take over, and a second to say so.
  [[nodiscard]] double last_tick() const {
    if (config_.takeover_ticks == for_ever) return std::numeric_limits<double>::infinity();
    const auto turns = static_cast<double>(config_.acceptors.size()) + 1;
    return config_.takeover_ticks * turns + static_cast<double>(last_words / tick_length);
  }

  /// Does what the machine wants. A record in memory is as durable as the process.
  void obey(Machine& machine) {
    while (true) {
      for (const auto& envelope : out_->now) offer(envelope);
      for (const auto& envelope : out_->after_persist) offer(envelope);
      const bool is_written = out_->persist.has_value();
      const auto token = out_->token;
      out_->clear();
      if (!is_written) return;
      machine.persisted(token, *out_);
    }
  }

  [[nodiscard]] int lane_of(CommitKind kind) const {
    if (kind == CommitKind::vote) return votes;
    return kind == CommitKind::decide && !is_answering_ ? decisions : answers;
  }
  void offer(const Letter& letter) { transport_.offer(letter, lane_of(letter.message.kind)); }

  /// Whether anything has come.
  bool hear(Machine& machine) {
    std::array<Letter, 8> room;
    const auto count = transport_.poll(room);
    for (std::size_t i = 0; i < count; ++i) read(machine, room[i]);
    return count != 0;
  }

  /// The same, with more than one look: what MPI brings during one the next one finds.
  bool look(Machine& machine) {
    for (int i = 0; i < looks; ++i)
      if (hear(machine)) return true;
    return false;
  }

  /// What is of a later vote waits for that: its sender is ahead, and would say it again only after
  /// a while.
  void read(Machine& machine, const Letter& letter) {
    const auto& id = letter.message.id;
    if (std::tie(id.epoch, id.layout) > std::tie(config_.id.epoch, config_.id.layout)) {
      if (early_.size() < early_max()) early_.push_back(letter);
      return;
    }
    is_answering_ = machine.is_decision_durable();
    machine.step(letter, *out_);
    obey(machine);
  }

  [[nodiscard]] std::size_t early_max() const {
    return 4 * static_cast<std::size_t>(config_.participants);
  }

  static void rest(Clock::duration waited) {
    if (waited < spinning)
      ::sched_yield();
    else
      std::this_thread::sleep_for(nap);
  }

  // A later message takes the place of one that waits, so each kind has a lane: a vote must not
  // give way to an answer. And a decision is under way to a rank that has taken nothing for long:
  // it finds it when it comes back, even if the others are where they send no more. To who asks
  // again, it is an answer: that may not be taken before the next vote.
  enum Lane : int { votes, answers, decisions, lanes };
  Transport transport_;
  bool is_answering_ = false;
  std::vector<Letter> early_;
  std::unique_ptr<Output> out_;
  typename Machine::Config config_;
  AtFinalize close_{[this] { (void)close(); }};  // goes first
};

}  // namespace

EpochVote::EpochVote(const Communicator& comm, std::span<const int> hosts,
                     double patience_seconds) {
  expects(hosts.size() == static_cast<std::size_t>(comm.size()), "the host of each rank");
  constexpr int few = 64;
  if (comm.size() <= few)
    rounds_ = std::make_unique<RoundsOf<few>>(comm, hosts, patience_seconds);
  else
    rounds_ = std::make_unique<RoundsOf<most_ranks>>(comm, hosts, patience_seconds);
}

/// Where a rank is not here yet, MPI_Finalize is the next chance, for which it all stays.
EpochVote::~EpochVote() {
  int is_over = 0;
  MPI_Finalized(&is_over);
  if (is_over == 0 && !rounds_->close()) (void)rounds_.release();
}

bool EpochVote::all_are_here(const EpochId& id) {
  switch (rounds_->decide(id, silent_)) {
    case Decision::committed:
      return true;
    case Decision::aborted:
      return false;
    case Decision::none:
      break;
  }
  throw Error(Errc::run_again, "too many ranks are silent to tell what became of epoch " +
                                   std::to_string(id.epoch) + "; run the same command again");
}

}  // namespace cairn::consensus
