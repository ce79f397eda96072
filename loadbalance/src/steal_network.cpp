#include "cairn/loadbalance/steal_network.hpp"

#include <mpi.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <list>
#include <utility>

#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"
#include "cairn/loadbalance/steal_machine.hpp"

namespace cairn::loadbalance {

namespace {

/// A message that is being sent.
struct Sending {
  MPI_Request request = MPI_REQUEST_NULL;
  std::vector<std::byte> bytes = {};
};

/// A tag says what a message is, and of which run: a rank that still takes the late words of one
/// leaves those of the next alone.
constexpr int words = 16;
constexpr int runs = 1024;  // MPI has tags up to 32767 at least

/// Words that go to everybody, and may reach a rank that has heard of the end.
constexpr std::array late_words{Say::pause, Say::stop, Say::better};
constexpr bool is_late_word(Say say) {
  return std::ranges::find(late_words, say) != late_words.end();
}

constexpr bool has_wave(Say say) { return say == Say::rise || say == Say::over; }
constexpr bool has_best(Say say) { return say == Say::better; }
constexpr bool has_tasks(Say say) { return say == Say::answer || say == Say::gift; }

template <typename Value>
std::vector<std::byte> bytes_of(const Value& value) {
  std::vector<std::byte> bytes(sizeof(Value));
  std::memcpy(bytes.data(), &value, sizeof(Value));
  return bytes;
}

/// What goes with a word, tasks apart.
std::vector<std::byte> payload_of(const StealMessage& message) {
  if (has_wave(message.say)) return bytes_of(message.wave);
  if (has_best(message.say)) return bytes_of(message.best);
  return {};
}

/// Frees itself.
class SharedMemoryRanks {
 public:
  explicit SharedMemoryRanks(const Communicator& comm) {
    check_mpi(MPI_Comm_split_type(comm.native(), MPI_COMM_TYPE_SHARED, comm.rank(), MPI_INFO_NULL,
                                  &handle_),
              "MPI_Comm_split_type");
  }
  SharedMemoryRanks(const SharedMemoryRanks&) = delete;
  SharedMemoryRanks& operator=(const SharedMemoryRanks&) = delete;
  ~SharedMemoryRanks() { MPI_Comm_free(&handle_); }

  /// The lowest rank of `comm` among them: the name of the host.
  [[nodiscard]] int lowest(int mine) const {
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &mine, 1, MPI_INT, MPI_MIN, handle_), "MPI_Allreduce");
    return mine;
  }

 private:
  MPI_Comm handle_ = MPI_COMM_NULL;
};

/// Collective.
std::vector<int> hosts_of(const Communicator& comm, int ranks_per_host) {
  std::vector<int> hosts(static_cast<std::size_t>(comm.size()));
  if (ranks_per_host > 0) {
    for (int r = 0; r < comm.size(); ++r) hosts[static_cast<std::size_t>(r)] = r / ranks_per_host;
    return hosts;
  }
  const int mine = SharedMemoryRanks(comm).lowest(comm.rank());
  check_mpi(MPI_Allgather(&mine, 1, MPI_INT, hosts.data(), 1, MPI_INT, comm.native()),
            "MPI_Allgather");
  return hosts;
}

}  // namespace

class StealNetwork::Impl {
  using Clock = std::chrono::steady_clock;

 public:
  Impl(const Communicator& comm, const StealOptions& options, SharedBest* incumbent)
      : comm_(comm.duplicate("cairn.loadbalance")),
        most_bytes_(std::min(options.most_bytes, most_message_bytes)),
        machine_(comm.rank(), hosts_of(comm, options.ranks_per_host), options),
        incumbent_(incumbent) {}

  void level_incumbent() {
    if (incumbent_ == nullptr) return;
    level_ = incumbent_->key();
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &level_, 1, MPI_INT64_T, MPI_MAX, comm_.native()),
              "MPI_Allreduce");
    incumbent_->raise(level_);
  }

  void begin() {
    machine_.begin(level_);
    run_ = (run_ + 1) % runs;
    bytes_got_ = 0;
    latency_ = {};
  }

  bool progress(TaskBank& bank) {
    finish_sends();
    const bool has_come = comm_.size() > 1 && hear(bank);
    exchange_best();
    serve(bank);
    // A wave ends at once where there are no others; one is not enough.
    const auto tasks = bank.stillness();
    if (tasks && !machine_.is_over()) machine_.be_still(*tasks);
    send_all();
    return has_come;
  }

  void settle() {
    if (comm_.size() == 1) return;
    check_mpi(MPI_Wait(&receiving_, MPI_STATUS_IGNORE), "MPI_Wait");
    MPI_Request barrier = MPI_REQUEST_NULL;
    int done = 0;
    while (done == 0) {
      drop_late_words();
      finish_sends();
      if (barrier != MPI_REQUEST_NULL) {
        check_mpi(MPI_Test(&barrier, &done, MPI_STATUS_IGNORE), "MPI_Test");
      } else if (sends_.empty()) {
        check_mpi(MPI_Ibarrier(comm_.native(), &barrier), "MPI_Ibarrier");
      }
    }
  }

  void pause() {
    machine_.pause();
    send_all();
  }

  void give_up() {
    machine_.stop();
    send_all();
  }

  [[nodiscard]] const StealMachine& machine() const noexcept { return machine_; }
  [[nodiscard]] const Communicator& comm() const noexcept { return comm_; }
  [[nodiscard]] StealCounts counts() const noexcept {
    auto counts = machine_.counts();
    counts.bytes_got = bytes_got_;
    return counts;
  }
  [[nodiscard]] const LatencyHistogram& latency() const noexcept { return latency_; }

  [[nodiscard]] std::string describe() const {
    const auto& messages = machine_.messages();
    std::string text = "sent " + std::to_string(messages.sent) + ", received " +
                       std::to_string(messages.received) + "; " + search();
    text += machine_.has_risen()
                ? "; in wave " + std::to_string(machine_.counts().waves)
                : "; " + std::to_string(machine_.counts().waves) + " waves before, " +
                      std::to_string(machine_.children_missing()) + " children to come";
    text += "; " + std::to_string(sends_.size()) + " sends under way";
    if (receiving_ != MPI_REQUEST_NULL)
      text += "; " + std::to_string(incoming_.size()) + " bytes are being received";
    if (machine_.is_pausing()) text += "; pausing";
    if (machine_.is_stopped()) text += "; stopped";
    if (machine_.is_over()) text += "; over";
    return text;
  }

 private:
  [[nodiscard]] std::string search() const {
    if (machine_.is_asking()) {
      char seconds[32];
      std::snprintf(seconds, sizeof seconds, "%.3f",
                    std::chrono::duration<double>(Clock::now() - asked_at_).count());
      return "asks rank " + std::to_string(asked_) + " since " + seconds + " s";
    }
    return machine_.is_parked() ? "waits to be given tasks" : "asks nobody";
  }

  // --- what this rank says ---------------------------------------------------------------------

  void send(const StealMessage& message, std::vector<std::byte> bytes) {
    if (message.say == Say::ask) {
      asked_ = message.peer;
      asked_at_ = Clock::now();
    }
    auto& sending = sends_.emplace_back();
    sending.bytes = std::move(bytes);
    // One that may come late is known to have been received, so that settle() finds its end.
    const auto isend = is_late_word(message.say) ? MPI_Issend : MPI_Isend;
    check_mpi(isend(sending.bytes.data(), static_cast<int>(sending.bytes.size()), MPI_BYTE,
                    message.peer, tag_of(message.say), comm_.native(), &sending.request),
              "MPI_Isend");
  }

  void send_all() {
    if (!machine_.has_messages()) return;
    for (const auto& message : machine_.take_messages()) send(message, payload_of(message));
  }

  void finish_sends() {
    sends_.remove_if([](Sending& sending) {
      int done = 0;
      check_mpi(MPI_Test(&sending.request, &done, MPI_STATUS_IGNORE), "MPI_Test");
      return done != 0;
    });
  }

  [[nodiscard]] int tag_of(Say word) const noexcept {
    return run_ * words + static_cast<int>(word);
  }

  /// Takes words of this run that are of no use any more, and leaves alone those of the next one.
  void drop_late_words() {
    for (const Say word : late_words) {
      int found = 1;
      while (found != 0) {
        MPI_Message message = MPI_MESSAGE_NULL;
        MPI_Status status;
        check_mpi(
            MPI_Improbe(MPI_ANY_SOURCE, tag_of(word), comm_.native(), &found, &message, &status),
            "MPI_Improbe");
        if (found == 0) break;
        int bytes = 0;
        check_mpi(MPI_Get_count(&status, MPI_BYTE, &bytes), "MPI_Get_count");
        incoming_.resize(static_cast<std::size_t>(bytes));
        check_mpi(MPI_Mrecv(incoming_.data(), bytes, MPI_BYTE, &message, MPI_STATUS_IGNORE),
                  "MPI_Mrecv");
      }
    }
  }

  /// What this rank's threads know, and what the other ranks have told.
  void exchange_best() {
    if (incumbent_ == nullptr) return;
    incumbent_->raise(machine_.best());
    machine_.improve(incumbent_->key());
  }

  // --- what others say -------------------------------------------------------------------------

  /// Takes what has come. Tasks may come in pieces of MPI's: then the next call goes on.
  bool hear(TaskBank& bank) {
    bool has_come = false;
    while (!machine_.is_over()) {
      MPI_Status status;
      int found = 0;
      if (receiving_ == MPI_REQUEST_NULL) {
        MPI_Message message = MPI_MESSAGE_NULL;
        check_mpi(
            MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm_.native(), &found, &message, &status),
            "MPI_Improbe");
        if (found == 0) break;
        int bytes = 0;
        check_mpi(MPI_Get_count(&status, MPI_BYTE, &bytes), "MPI_Get_count");
        incoming_.resize(static_cast<std::size_t>(bytes));
        check_mpi(MPI_Imrecv(incoming_.data(), bytes, MPI_BYTE, &message, &receiving_),
                  "MPI_Imrecv");
      }
      check_mpi(MPI_Test(&receiving_, &found, &status), "MPI_Test");
      if (found == 0) break;
      assert(status.MPI_TAG / words == run_);  // the words of other runs are settled
      has_come = true;
      read({status.MPI_SOURCE, static_cast<Say>(status.MPI_TAG % words)}, bank);
    }
    return has_come;
  }

  void read(StealMessage message, TaskBank& bank) {
    if (has_wave(message.say)) std::memcpy(&message.wave, incoming_.data(), sizeof(Wave));
    if (has_best(message.say)) std::memcpy(&message.best, incoming_.data(), sizeof(message.best));
    machine_.hear(message);
    if (message.say == Say::answer || message.say == Say::none)
      latency_.add(Clock::now() - asked_at_);
    if (!has_tasks(message.say)) return;
    bytes_got_ += incoming_.size();
    if (!machine_.is_stopped()) bank.deposit(incoming_);
  }

  // --- for others --------------------------------------------------------------------------

  void serve(TaskBank& bank) {
    const auto spare = [&] {
      std::vector<std::byte> tasks;
      bank.withdraw(most_bytes_, tasks);
      return tasks;
    };
    machine_.serve(spare, [this](const StealMessage& message, std::vector<std::byte> tasks) {
      send(message, std::move(tasks));
    });
  }

  Communicator comm_;
  std::size_t most_bytes_;
  StealMachine machine_;
  SharedBest* incumbent_;
  std::int64_t level_ = SharedBest::nothing;  // what all ranks know when a run begins
  int run_ = 0;

  std::list<Sending> sends_;
  MPI_Request receiving_ = MPI_REQUEST_NULL;
  std::vector<std::byte> incoming_;
  std::uint64_t bytes_got_ = 0;

  int asked_ = -1;
  Clock::time_point asked_at_{};
  LatencyHistogram latency_;
};

StealNetwork::StealNetwork(const Communicator& comm, const StealOptions& options,
                           SharedBest* incumbent)
    : impl_(std::make_unique<Impl>(comm, options, incumbent)) {}
StealNetwork::~StealNetwork() = default;
StealNetwork::StealNetwork(StealNetwork&&) noexcept = default;
StealNetwork& StealNetwork::operator=(StealNetwork&&) noexcept = default;

void StealNetwork::level_incumbent() { impl_->level_incumbent(); }
void StealNetwork::begin() { impl_->begin(); }
bool StealNetwork::progress(TaskBank& bank) { return impl_->progress(bank); }
void StealNetwork::settle() { impl_->settle(); }
bool StealNetwork::is_over() const noexcept { return impl_->machine().is_over(); }
std::uint64_t StealNetwork::ranks_left() const noexcept { return impl_->machine().ranks_left(); }
void StealNetwork::pause() { impl_->pause(); }
bool StealNetwork::is_pausing() const noexcept { return impl_->machine().is_pausing(); }
void StealNetwork::give_up() { impl_->give_up(); }
bool StealNetwork::is_given_up() const noexcept { return impl_->machine().is_stopped(); }
bool StealNetwork::is_asking() const noexcept { return impl_->machine().is_asking(); }
StealCounts StealNetwork::counts() const noexcept { return impl_->counts(); }
const LatencyHistogram& StealNetwork::latency() const noexcept { return impl_->latency(); }
std::string StealNetwork::describe() const { return impl_->describe(); }
const Communicator& StealNetwork::comm() const noexcept { return impl_->comm(); }

}  // namespace cairn::loadbalance
