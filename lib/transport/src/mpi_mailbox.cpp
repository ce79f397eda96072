#include "cairn/transport/mpi_mailbox.hpp"

#include <mpi.h>

#include <algorithm>
#include <cassert>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"

namespace cairn::transport {

namespace {

using Clock = std::chrono::steady_clock;
constexpr int tag = 0;  // of a communicator that nobody else has

/// The way to one rank.
struct Lane {
  MPI_Request request = MPI_REQUEST_NULL;  // of the message in flight
  Clock::time_point since{};               // when it was sent
  bool is_waiting = false;
};

}  // namespace

class MpiMailbox::Impl {
 public:
  Impl(const Communicator& parent, std::size_t message_bytes, const MpiMailboxOptions& options)
      : comm_(parent.duplicate("cairn.transport")),
        options_(options),
        size_(message_bytes),
        lanes_(static_cast<std::size_t>(comm_->size())),
        in_flight_(lanes_.size() * size_),
        waiting_(lanes_.size() * size_),
        own_(own_max * size_),
        incoming_(size_),
        self_(comm_->rank()) {}

  void offer(NodeIndex to, std::span<const std::byte> message) noexcept {
    ++counts_.offered;
    if (state_ != State::open || to < 0 || to >= nodes() || message.size() != size_) {
      ++counts_.dropped;
      return;
    }
    if (to == self_) return offer_own(message);
    auto& lane = lanes_[index(to)];
    if (lane.request != MPI_REQUEST_NULL) complete(to);
    if (lane.request == MPI_REQUEST_NULL) {
      std::ranges::copy(message, slot(in_flight_, to).begin());
      return send(to);
    }
    if (lane.is_waiting) ++counts_.replaced;
    lane.is_waiting = true;
    std::ranges::copy(message, slot(waiting_, to).begin());
  }

  void progress() noexcept {
    if (in_flight_count_ == 0) return;
    for (NodeIndex to = 0; to < nodes(); ++to)
      if (lanes_[index(to)].request != MPI_REQUEST_NULL) complete(to);
  }

  NodeIndex take(std::span<std::byte> message) noexcept {
    assert(message.size() == size_);
    if (state_ != State::open) return -1;
    if (own_count_ > 0) return take_own(message);
    const auto from = receive();
    if (from < 0) return -1;
    std::ranges::copy(incoming_, message.begin());
    ++counts_.received;
    return from;
  }

  Closing close(std::chrono::milliseconds patience) {
    if (state_ == State::closed) return Closing::clean;
    if (state_ == State::open) stop_talking();
    const auto deadline = Clock::now() + patience;
    while (true) {
      drop_what_comes();
      progress();
      check();
      // A send is complete when its message has begun to be received, maybe not yet by its bytes.
      if (in_flight_count_ == 0 && has_everybody_come() && receiving_ == MPI_REQUEST_NULL) {
        state_ = State::closed;
        comm_.reset();
        return Closing::clean;
      }
      if (Clock::now() >= deadline) return Closing::unfinished;
      std::this_thread::yield();
    }
  }

  void check() const { check_mpi(error_, error_in_); }

  [[nodiscard]] bool is_closed() const noexcept { return state_ == State::closed; }
  [[nodiscard]] bool is_suspect(NodeIndex node) const noexcept {
    if (node < 0 || node >= nodes()) return false;
    const auto& lane = lanes_[index(node)];
    return lane.request != MPI_REQUEST_NULL && Clock::now() - lane.since > options_.suspect_after;
  }
  [[nodiscard]] std::size_t held() const noexcept {
    const auto waiting = std::ranges::count_if(lanes_, &Lane::is_waiting);
    return in_flight_count_ + static_cast<std::size_t>(waiting) + own_count_;
  }
  [[nodiscard]] std::size_t waiting() const noexcept {
    std::size_t count = 0;
    for (NodeIndex to = 0; to < nodes(); ++to)
      count += lanes_[index(to)].is_waiting && !is_suspect(to) ? 1 : 0;
    return count;
  }
  [[nodiscard]] const MpiMailboxCounts& counts() const noexcept { return counts_; }
  [[nodiscard]] NodeIndex self() const noexcept { return self_; }
  [[nodiscard]] int nodes() const noexcept { return static_cast<int>(lanes_.size()); }

 private:
  enum class State : std::uint8_t { open, closing, closed };

  static std::size_t index(NodeIndex node) noexcept { return static_cast<std::size_t>(node); }
  std::span<std::byte> slot(std::vector<std::byte>& slots, NodeIndex node) const noexcept {
    return std::span(slots).subspan(index(node) * size_, size_);
  }
  [[nodiscard]] int bytes() const noexcept { return static_cast<int>(size_); }

  void offer_own(std::span<const std::byte> message) noexcept {
    if (own_count_ == own_max) {
      own_first_ = (own_first_ + 1) % own_max;
      --own_count_;
      ++counts_.replaced;
    }
    const auto place = (own_first_ + own_count_++) % own_max;
    std::ranges::copy(message, slot(own_, static_cast<NodeIndex>(place)).begin());
    ++counts_.sent;
  }

  NodeIndex take_own(std::span<std::byte> message) noexcept {
    std::ranges::copy(slot(own_, static_cast<NodeIndex>(own_first_)), message.begin());
    own_first_ = (own_first_ + 1) % own_max;
    --own_count_;
    ++counts_.received;
    return self_;
  }

  /// Sends what stands in the slot in flight.
  void send(NodeIndex to) noexcept {
    auto& lane = lanes_[index(to)];
    const auto code = MPI_Issend(slot(in_flight_, to).data(), bytes(), MPI_BYTE, to, tag,
                                 comm_->native(), &lane.request);
    if (code != MPI_SUCCESS) {
      lane.request = MPI_REQUEST_NULL;
      ++counts_.dropped;
      return note(code, "MPI_Issend");
    }
    lane.since = Clock::now();
    ++in_flight_count_;
    ++counts_.sent;
  }

  /// Looks whether the message in flight has been taken; if so, the waiting one follows.
  void complete(NodeIndex to) noexcept {
    auto& lane = lanes_[index(to)];
    int done = 0;
    const auto code = MPI_Test(&lane.request, &done, MPI_STATUS_IGNORE);
    if (code != MPI_SUCCESS) {
      note(code, "MPI_Test");
      done = 1;
      lane.request = MPI_REQUEST_NULL;
    }
    if (done == 0) return;
    --in_flight_count_;
    if (!std::exchange(lane.is_waiting, false)) return;
    std::ranges::copy(slot(waiting_, to), slot(in_flight_, to).begin());
    send(to);
  }

  /// Receives a message into `incoming_`; -1 when none has come whole.
  NodeIndex receive() noexcept {
    MPI_Status status;
    int done = 0;
    if (receiving_ == MPI_REQUEST_NULL) {
      MPI_Message message = MPI_MESSAGE_NULL;
      const auto code = MPI_Improbe(MPI_ANY_SOURCE, tag, comm_->native(), &done, &message, &status);
      if (code != MPI_SUCCESS) note(code, "MPI_Improbe");
      if (code != MPI_SUCCESS || done == 0) return -1;
      const auto received = MPI_Imrecv(incoming_.data(), bytes(), MPI_BYTE, &message, &receiving_);
      if (received != MPI_SUCCESS) {
        receiving_ = MPI_REQUEST_NULL;
        note(received, "MPI_Imrecv");
        return -1;
      }
    }
    const auto code = MPI_Test(&receiving_, &done, &status);
    if (code != MPI_SUCCESS) {
      receiving_ = MPI_REQUEST_NULL;
      note(code, "MPI_Test");
      return -1;
    }
    return done != 0 ? status.MPI_SOURCE : -1;
  }

  void stop_talking() noexcept {
    state_ = State::closing;
    for (auto& lane : lanes_) lane.is_waiting = false;
    own_count_ = 0;
  }

  void drop_what_comes() noexcept {
    while (receive() >= 0) {
    }
  }

  /// All sends of all ranks are complete when the barrier is.
  bool has_everybody_come() {
    if (!is_barrier_begun_) {
      check_mpi(MPI_Ibarrier(comm_->native(), &barrier_), "MPI_Ibarrier");
      is_barrier_begun_ = true;
    }
    int done = 0;
    check_mpi(MPI_Test(&barrier_, &done, MPI_STATUS_IGNORE), "MPI_Test");
    return done != 0;
  }

  void note(int code, const char* call) noexcept {
    if (error_ != MPI_SUCCESS) return;
    error_ = code;
    error_in_ = call;
  }

  std::optional<Communicator> comm_;
  MpiMailboxOptions options_;
  std::size_t size_;
  std::vector<Lane> lanes_;
  std::vector<std::byte> in_flight_;
  std::vector<std::byte> waiting_;
  std::vector<std::byte> own_;  // a ring
  std::vector<std::byte> incoming_;
  NodeIndex self_;
  std::size_t own_first_ = 0;
  std::size_t own_count_ = 0;
  std::size_t in_flight_count_ = 0;
  MPI_Request receiving_ = MPI_REQUEST_NULL;
  MPI_Request barrier_ = MPI_REQUEST_NULL;
  bool is_barrier_begun_ = false;
  State state_ = State::open;
  int error_ = MPI_SUCCESS;
  const char* error_in_ = "";
  MpiMailboxCounts counts_;
};

namespace {

/// What MPI may still read or write belongs to the process from now on.
template <typename Impl>
void leave_to_the_process(std::unique_ptr<Impl> impl) {
  static auto& left = *new std::vector<std::unique_ptr<Impl>>;
  left.push_back(std::move(impl));
}

}  // namespace

MpiMailbox::MpiMailbox(const Communicator& parent, std::size_t message_bytes,
                       const MpiMailboxOptions& options) {
  expects(0 < message_bytes && message_bytes <= message_bytes_max,
          "a message of 1 to " + std::to_string(message_bytes_max) + " bytes");
  impl_ = std::make_unique<Impl>(parent, message_bytes, options);
}

MpiMailbox::~MpiMailbox() {
  if (impl_ && !impl_->is_closed()) leave_to_the_process(std::move(impl_));
}

MpiMailbox::MpiMailbox(MpiMailbox&&) noexcept = default;

MpiMailbox& MpiMailbox::operator=(MpiMailbox&& other) noexcept {
  if (this != &other) {
    if (impl_ && !impl_->is_closed()) leave_to_the_process(std::move(impl_));
    impl_ = std::move(other.impl_);
  }
  return *this;
}

void MpiMailbox::offer(NodeIndex to, std::span<const std::byte> message) noexcept {
  impl_->offer(to, message);
}
void MpiMailbox::progress() noexcept { impl_->progress(); }
NodeIndex MpiMailbox::take(std::span<std::byte> message) noexcept { return impl_->take(message); }
MpiMailbox::Closing MpiMailbox::close(std::chrono::milliseconds patience) {
  return impl_->close(patience);
}
void MpiMailbox::check() const { impl_->check(); }
bool MpiMailbox::is_suspect(NodeIndex node) const noexcept { return impl_->is_suspect(node); }
std::size_t MpiMailbox::held() const noexcept { return impl_->held(); }
std::size_t MpiMailbox::waiting() const noexcept { return impl_->waiting(); }
const MpiMailboxCounts& MpiMailbox::counts() const noexcept { return impl_->counts(); }
NodeIndex MpiMailbox::self() const noexcept { return impl_->self(); }
int MpiMailbox::nodes() const noexcept { return impl_->nodes(); }

}  // namespace cairn::transport
