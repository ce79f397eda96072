#include "cairn/loadbalance/steal_network.hpp"

#include <mpi.h>

#include <algorithm>
#include <array>
#include <list>
#include <utility>

#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"
#include "cairn/core/random.hpp"
#include "cairn/loadbalance/four_counters.hpp"

namespace cairn::loadbalance {

namespace {

enum Tag : int {
  ask,       ///< have you something for me?
  none,      ///< no
  answer,    ///< tasks, for one that has asked
  remember,  ///< send me something when you can
  gift,      ///< tasks, for one that is remembered
  stop,      ///< drop everything
};

/// A message that is being sent.
struct Sending {
  MPI_Request request = MPI_REQUEST_NULL;
  std::vector<std::byte> bytes = {};
};

/// The ranks that remember `rank`: those 1, 2, 4 … behind it, so that work reaches everybody in
/// log2(p) steps.
std::vector<int> lifelines_of(int rank, int ranks) {
  std::vector<int> buddies;
  for (int distance = 1; distance < ranks; distance *= 2)
    buddies.push_back((rank + distance) % ranks);
  return buddies;
}

}  // namespace

class StealNetwork::Impl {
 public:
  Impl(const Communicator& comm, const StealOptions& options)
      : comm_(comm.duplicate("cairn.loadbalance")),
        options_(options),
        random_(options.seed, static_cast<std::uint64_t>(comm.rank())),
        buddies_(lifelines_of(comm.rank(), comm.size())),
        remembers_me_(buddies_.size()) {}

  void begin() {
    over_ = given_up_ = is_asking_ = is_parked_ = false;
    tries_ = 0;
    messages_ = {};
    detector_ = {};
    counts_ = {};
    remembered_.clear();
    std::ranges::fill(remembers_me_, 0);
  }

  bool progress(bool is_idle, TaskBank& bank) {
    if (comm_.size() == 1) {
      over_ = is_idle;
      return false;
    }
    finish_sends();
    const bool has_come = hear(bank);
    if (has_come) is_idle = false;  // not for sure any more
    give(bank);
    if (is_idle) {
      look_for_work();
      look_for_the_end();
    }
    return has_come;
  }

  void give_up() {
    if (std::exchange(given_up_, true)) return;
    for (int rank = 0; rank < comm_.size(); ++rank)
      if (rank != comm_.rank()) send(rank, stop);
  }

  [[nodiscard]] bool is_over() const noexcept { return over_; }
  [[nodiscard]] bool is_given_up() const noexcept { return given_up_; }
  [[nodiscard]] const StealCounts& counts() const noexcept { return counts_; }
  [[nodiscard]] const Communicator& comm() const noexcept { return comm_; }

 private:
  // --- messages ----------------------------------------------------------------------------

  void send(int to, Tag tag, std::vector<std::byte> bytes = {}) {
    ++messages_.sent;
    ++counts_.messages;
    auto& sending = sends_.emplace_back();
    sending.bytes = std::move(bytes);
    check_mpi(MPI_Isend(sending.bytes.data(), static_cast<int>(sending.bytes.size()), MPI_BYTE, to,
                        tag, comm_.native(), &sending.request),
              "MPI_Isend");
  }

  void finish_sends() {
    sends_.remove_if([](Sending& sending) {
      int done = 0;
      check_mpi(MPI_Test(&sending.request, &done, MPI_STATUS_IGNORE), "MPI_Test");
      return done != 0;
    });
  }

  /// Takes what has come. Tasks may come in pieces of MPI's: then the next call goes on.
  bool hear(TaskBank& bank) {
    bool has_come = false;
    while (true) {
      MPI_Status status;
      int found = 0;
      if (receiving_ == MPI_REQUEST_NULL) {
        MPI_Message message = MPI_MESSAGE_NULL;
        check_mpi(
            MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm_.native(), &found, &message, &status),
            "MPI_Improbe");
        if (found == 0) return has_come;
        int bytes = 0;
        check_mpi(MPI_Get_count(&status, MPI_BYTE, &bytes), "MPI_Get_count");
        incoming_.resize(static_cast<std::size_t>(bytes));
        check_mpi(MPI_Imrecv(incoming_.data(), bytes, MPI_BYTE, &message, &receiving_),
                  "MPI_Imrecv");
      }
      check_mpi(MPI_Test(&receiving_, &found, &status), "MPI_Test");
      if (found == 0) return has_come;
      ++messages_.received;
      has_come = true;
      read(status.MPI_SOURCE, static_cast<Tag>(status.MPI_TAG), bank);
    }
  }

  void read(int from, Tag tag, TaskBank& bank) {
    switch (tag) {
      case ask:
        return thieves_.push_back(from);
      case none:
        is_asking_ = false;
        ++tries_;
        return;
      case answer:
        is_asking_ = false;
        return take(bank);
      case remember:
        return remembered_.push_back(from);
      case gift:
        for (std::size_t i = 0; i < buddies_.size(); ++i)
          if (buddies_[i] == from) remembers_me_[i] = 0;
        return take(bank);
      case stop:
        given_up_ = true;
        return;
    }
  }

  void take(TaskBank& bank) {
    tries_ = 0;
    is_parked_ = false;
    ++counts_.got;
    counts_.bytes_got += incoming_.size();
    if (!given_up_) bank.deposit(incoming_);
  }

  // --- for others --------------------------------------------------------------------------

  /// An answer to all who ask, and what is to spare to those who are remembered.
  void give(TaskBank& bank) {
    for (const int thief : std::exchange(thieves_, {}))
      if (!give_to(thief, answer, bank)) send(thief, none);
    while (!remembered_.empty() && give_to(remembered_.front(), gift, bank))
      remembered_.erase(remembered_.begin());
  }

  bool give_to(int thief, Tag tag, TaskBank& bank) {
    if (given_up_) return false;
    std::vector<std::byte> tasks;
    bank.withdraw(options_.most_bytes, tasks);
    if (tasks.empty()) return false;
    ++counts_.given;
    send(thief, tag, std::move(tasks));
    return true;
  }

  // --- for this rank -----------------------------------------------------------------------

  void look_for_work() {
    if (is_asking_ || is_parked_ || given_up_) return;
    if (tries_ < options_.random_tries) {
      const auto others = static_cast<std::uint64_t>(comm_.size() - 1);
      const auto steps = 1 + static_cast<int>(random_.below(draws_++, others));
      is_asking_ = true;
      ++counts_.asked;
      return send((comm_.rank() + steps) % comm_.size(), ask);
    }
    for (std::size_t i = 0; i < buddies_.size(); ++i)
      if (std::exchange(remembers_me_[i], 1) == 0) send(buddies_[i], remember);
    is_parked_ = true;
  }

  void look_for_the_end() {
    if (wave_ == MPI_REQUEST_NULL) {
      mine_ = {messages_.sent, messages_.received};
      check_mpi(MPI_Iallreduce(mine_.data(), sums_.data(), 2, MPI_UINT64_T, MPI_SUM, comm_.native(),
                               &wave_),
                "MPI_Iallreduce");
      ++counts_.waves;
    }
    int done = 0;
    check_mpi(MPI_Test(&wave_, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done == 0 || !detector_.is_over({sums_[0], sums_[1]})) return;
    over_ = true;
    // All that was sent has been received: nobody is waited for.
    for (auto& sending : sends_)
      check_mpi(MPI_Wait(&sending.request, MPI_STATUS_IGNORE), "MPI_Wait");
    sends_.clear();
  }

  Communicator comm_;
  StealOptions options_;
  Random random_;
  std::uint64_t draws_ = 0;

  std::list<Sending> sends_;
  MPI_Request receiving_ = MPI_REQUEST_NULL;
  std::vector<std::byte> incoming_;

  std::vector<int> thieves_;     // want an answer
  std::vector<int> remembered_;  // want what comes
  std::vector<int> buddies_;
  std::vector<unsigned char> remembers_me_;  // by buddy
  bool is_asking_ = false;
  bool is_parked_ = false;
  int tries_ = 0;

  MessageCounts messages_;
  FourCounters detector_;
  MPI_Request wave_ = MPI_REQUEST_NULL;
  std::array<std::uint64_t, 2> mine_{};
  std::array<std::uint64_t, 2> sums_{};
  bool over_ = false;
  bool given_up_ = false;
  StealCounts counts_;
};

StealNetwork::StealNetwork(const Communicator& comm, const StealOptions& options)
    : impl_(std::make_unique<Impl>(comm, options)) {}
StealNetwork::~StealNetwork() = default;
StealNetwork::StealNetwork(StealNetwork&&) noexcept = default;
StealNetwork& StealNetwork::operator=(StealNetwork&&) noexcept = default;

void StealNetwork::begin() { impl_->begin(); }
bool StealNetwork::progress(bool is_idle, TaskBank& bank) { return impl_->progress(is_idle, bank); }
bool StealNetwork::is_over() const noexcept { return impl_->is_over(); }
void StealNetwork::give_up() { impl_->give_up(); }
bool StealNetwork::is_given_up() const noexcept { return impl_->is_given_up(); }
const StealCounts& StealNetwork::counts() const noexcept { return impl_->counts(); }
const Communicator& StealNetwork::comm() const noexcept { return impl_->comm(); }

}  // namespace cairn::loadbalance
