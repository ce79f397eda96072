#include "cairn/transport/tcp_mesh.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cassert>
#include <string>
#include <utility>

#include "cairn/core/error.hpp"
#include "tcp_incoming.hpp"
#include "tcp_outgoing.hpp"

namespace cairn::transport {

using tcp::Clock;
using tcp::Socket;
using tcp::Stranger;

namespace {

/// What an event of epoll is about.
enum class Watched : std::uint32_t { listener, stranger, incoming, outgoing };

std::uint64_t label(Watched kind, std::size_t index) noexcept {
  return (static_cast<std::uint64_t>(kind) << 32) | index;
}

constexpr int accepts_per_progress = 16;  // so that a flood of callers does not hold poll up
constexpr NodeIndex nodes_max = 1024;

void check(NodeIndex self, const TcpOptions& options) {
  expects(self >= 0 && self < nodes_max, "TcpMesh: the node's index lies in [0, 1024)");
  const auto zero = std::chrono::milliseconds(0);
  if (options.frame_bytes_max < 1 || options.frame_bytes_max > (1U << 24))
    throw Error(Errc::usage, "TcpMesh: frames have between 1 byte and 16 MiB");
  if (options.queue_frames < 1 || options.strangers_max < 1 || options.retry_first <= zero ||
      options.retry_max < options.retry_first || options.handshake_timeout <= zero ||
      options.silence_max <= zero)
    throw Error(Errc::usage, "TcpMesh: queues and times must be positive, retry_max the longest");
}

}  // namespace

class TcpMesh::Impl {
 public:
  Impl(NodeIndex self, const TcpSecret& secret, const TcpOptions& options)
      : shared_{.self = self, .secret = secret, .options = options},
        endpoint_(options.bind),
        epoll_(check_posix(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
        listener_(tcp::listen_at(options.bind)),
        strangers_(static_cast<std::size_t>(options.strangers_max)),
        loop_(options.queue_frames, options.frame_bytes_max),
        loop_frame_(options.frame_bytes_max) {
    endpoint_.port = tcp::port_of(listener_);
  }

  void start(std::span<const TcpEndpoint> endpoints) {
    expects(shared_.nodes == 0, "TcpMesh::start is called once");
    const auto nodes = static_cast<NodeIndex>(endpoints.size());
    if (shared_.self >= nodes || nodes > nodes_max)
      throw Error(Errc::usage, "TcpMesh: node " + std::to_string(shared_.self) + " among " +
                                   std::to_string(nodes) + " endpoints");
    std::vector<tcp::Outgoing> outgoing;
    std::vector<tcp::Incoming> incoming;
    outgoing.reserve(endpoints.size());
    incoming.reserve(endpoints.size());
    for (NodeIndex node = 0; node < nodes; ++node) {
      const auto& endpoint = endpoints[static_cast<std::size_t>(node)];
      // Nobody calls himself.
      outgoing.emplace_back(
          shared_, node,
          node == shared_.self ? std::vector<tcp::Address>() : tcp::resolve(endpoint));
      incoming.emplace_back(shared_);
    }
    check_posix(watch(EPOLL_CTL_ADD, listener_, EPOLLIN, label(Watched::listener, 0)),
                "epoll_ctl for the listener of node " + std::to_string(shared_.self));
    // Nothing fails from here on; before, all is as if nothing had been tried.
    outgoing_ = std::move(outgoing);
    incoming_ = std::move(incoming);
    shared_.nodes = static_cast<std::uint32_t>(nodes);
  }

  void move_peer(NodeIndex peer, const TcpEndpoint& endpoint) {
    expects(is_node(peer) && peer != shared_.self, "TcpMesh::move_peer names another node");
    outgoing_[static_cast<std::size_t>(peer)].move_to(tcp::resolve(endpoint));
  }

  bool offer(NodeIndex to, std::span<const std::byte> payload) noexcept {
    ++shared_.counts.offered;
    if (!is_node(to) || payload.size() > shared_.options.frame_bytes_max) {
      ++shared_.counts.dropped;
      return false;
    }
    if (to == shared_.self) {
      if (!loop_.push(payload)) ++shared_.counts.dropped;
      return true;
    }
    auto& peer = outgoing_[static_cast<std::size_t>(to)];
    peer.offer(payload);
    if (peer.state() == tcp::Outgoing::State::open && !peer.wants_to_write()) {
      peer.flush(Clock::now());
      if (peer.wants_to_write()) watch_outgoing(static_cast<std::size_t>(to));
    }
    return true;
  }

  void progress() noexcept {
    if (shared_.nodes == 0) return;
    now_ = Clock::now();
    std::array<epoll_event, 64> events;
    const int count =
        ::epoll_wait(epoll_.descriptor(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i) on_event(events[static_cast<std::size_t>(i)]);
    for (auto& stranger : strangers_) {
      if (!stranger.is_there() || now_ < stranger.deadline()) continue;
      ++shared_.counts.timeouts;
      stranger.end();
    }
    for (std::size_t i = 0; i < outgoing_.size(); ++i) {
      auto& peer = outgoing_[i];
      peer.expire(now_);
      if (peer.call_if_due(now_))
        watch(EPOLL_CTL_ADD, peer.socket(), EPOLLIN | EPOLLOUT, label(Watched::outgoing, i));
    }
  }

  std::optional<Frame> take() noexcept {
    if (!loop_.empty()) {
      const auto frame = loop_.front();
      std::copy(frame.begin(), frame.end(), loop_frame_.begin());
      loop_.pop();
      ++shared_.counts.received;
      return Frame{shared_.self, std::span(loop_frame_).first(frame.size())};
    }
    for (std::size_t tries = 0; tries < incoming_.size(); ++tries) {
      const auto from = turn_;
      turn_ = (turn_ + 1) % incoming_.size();
      if (const auto payload = incoming_[from].take(shared_))
        return Frame{static_cast<NodeIndex>(from), *payload};
    }
    return {};
  }

  [[nodiscard]] bool is_connected_to(NodeIndex peer) const noexcept {
    return is_node(peer) &&
           outgoing_[static_cast<std::size_t>(peer)].state() == tcp::Outgoing::State::open;
  }
  [[nodiscard]] bool is_connected_from(NodeIndex peer) const noexcept {
    return is_node(peer) && incoming_[static_cast<std::size_t>(peer)].socket().is_open();
  }
  [[nodiscard]] const TcpEndpoint& endpoint() const noexcept { return endpoint_; }
  [[nodiscard]] const tcp::Shared& shared() const noexcept { return shared_; }
  [[nodiscard]] int descriptor() const noexcept { return epoll_.descriptor(); }

 private:
  [[nodiscard]] bool is_node(NodeIndex node) const noexcept {
    return node >= 0 && static_cast<std::uint32_t>(node) < shared_.nodes;
  }

  /// For connections it fails for want of memory alone; their deadlines then end them.
  int watch(int operation, const Socket& socket, std::uint32_t what, std::uint64_t name) noexcept {
    epoll_event event{};
    event.events = what;
    event.data.u64 = name;
    return ::epoll_ctl(epoll_.descriptor(), operation, socket.descriptor(), &event);
  }

  void watch_outgoing(std::size_t index) noexcept {
    const auto& peer = outgoing_[index];
    if (!peer.socket().is_open()) return;
    watch(EPOLL_CTL_MOD, peer.socket(), EPOLLIN | (peer.wants_to_write() ? EPOLLOUT : 0U),
          label(Watched::outgoing, index));
  }

  void on_event(const epoll_event& event) noexcept {
    const auto index = static_cast<std::size_t>(event.data.u64 & 0xffffffffU);
    switch (static_cast<Watched>(event.data.u64 >> 32)) {
      case Watched::listener:
        return accept_some();
      case Watched::stranger:
        return on_stranger(index);
      case Watched::incoming:
        return incoming_[index].on_ready();
      case Watched::outgoing:
        outgoing_[index].on_ready((event.events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0, now_);
        return watch_outgoing(index);
    }
  }

  void accept_some() noexcept {
    for (int i = 0; i < accepts_per_progress; ++i) {
      auto socket = tcp::accept_next(listener_);
      if (!socket.is_open()) return;
      tcp::tune(socket, shared_.options.silence_max);
      const auto slot = slot_for_stranger();
      strangers_[slot].begin(std::move(socket), now_ + shared_.options.handshake_timeout);
      watch(EPOLL_CTL_ADD, strangers_[slot].socket(), EPOLLIN, label(Watched::stranger, slot));
      on_stranger(slot);
    }
  }

  /// A free place, or that of the one who has been here for longest.
  std::size_t slot_for_stranger() noexcept {
    std::size_t oldest = 0;
    for (std::size_t slot = 0; slot < strangers_.size(); ++slot) {
      if (!strangers_[slot].is_there()) return slot;
      if (strangers_[slot].deadline() < strangers_[oldest].deadline()) oldest = slot;
    }
    ++shared_.counts.evicted;
    return oldest;
  }

  void on_stranger(std::size_t slot) noexcept {
    auto& stranger = strangers_[slot];
    if (!stranger.is_there()) return;
    switch (stranger.on_ready(shared_)) {
      case Stranger::Verdict::pending:
        return;
      case Stranger::Verdict::gone:
        return stranger.end();
      case Stranger::Verdict::known: {
        const auto from = static_cast<std::size_t>(stranger.claim());
        auto& peer = incoming_[from];
        peer.begin(stranger.release(), stranger.session(shared_.secret));
        watch(EPOLL_CTL_MOD, peer.socket(), EPOLLIN, label(Watched::incoming, from));
      }
    }
  }

  tcp::Shared shared_;
  TcpEndpoint endpoint_;
  Socket epoll_;
  Socket listener_;
  std::vector<Stranger> strangers_;
  std::vector<tcp::Outgoing> outgoing_;  // by node; the own one is never used
  std::vector<tcp::Incoming> incoming_;  // by node
  std::size_t turn_ = 0;                 // whose frame is taken next
  tcp::FrameQueue loop_;                 // to itself
  std::vector<std::byte> loop_frame_;
  Clock::time_point now_ = {};
};

TcpMesh::TcpMesh(NodeIndex self, const TcpSecret& secret, const TcpOptions& options) {
  check(self, options);
  tcp::prepare_crypto();
  impl_ = std::make_unique<Impl>(self, secret, options);
}
TcpMesh::~TcpMesh() = default;
TcpMesh::TcpMesh(TcpMesh&&) noexcept = default;
TcpMesh& TcpMesh::operator=(TcpMesh&&) noexcept = default;

const TcpEndpoint& TcpMesh::endpoint() const noexcept { return impl_->endpoint(); }
void TcpMesh::start(std::span<const TcpEndpoint> endpoints) { impl_->start(endpoints); }
void TcpMesh::move_peer(NodeIndex peer, const TcpEndpoint& endpoint) {
  impl_->move_peer(peer, endpoint);
}
bool TcpMesh::offer(NodeIndex to, std::span<const std::byte> payload) noexcept {
  return impl_->offer(to, payload);
}
void TcpMesh::progress() noexcept { impl_->progress(); }
std::optional<TcpMesh::Frame> TcpMesh::take() noexcept { return impl_->take(); }
bool TcpMesh::is_connected_to(NodeIndex peer) const noexcept {
  return impl_->is_connected_to(peer);
}
bool TcpMesh::is_connected_from(NodeIndex peer) const noexcept {
  return impl_->is_connected_from(peer);
}
const TcpCounts& TcpMesh::counts() const noexcept { return impl_->shared().counts; }
int TcpMesh::nodes() const noexcept { return static_cast<int>(impl_->shared().nodes); }
NodeIndex TcpMesh::self() const noexcept { return impl_->shared().self; }
int TcpMesh::descriptor() const noexcept { return impl_->descriptor(); }

}  // namespace cairn::transport
