#include "tcp_outgoing.hpp"

#include <sodium.h>

#include <algorithm>

namespace cairn::transport::tcp {

namespace {

constexpr std::size_t staged_bytes = 16384;
constexpr int rebuffs_to_warn = 3;

}  // namespace

void Shared::warn(bool& has_warned, const char* text) noexcept {
  if (has_warned || !options.warn) return;
  has_warned = true;
  try {
    options.warn(text);
  } catch (...) {  // who cannot write a warning goes on
  }
}

Outgoing::Outgoing(Shared& shared, NodeIndex peer, std::vector<Address> addresses)
    : shared_(&shared),
      peer_(peer),
      addresses_(std::move(addresses)),
      back_off_(shared.options.retry_first),
      queue_(shared.options.queue_frames, shared.options.frame_bytes_max),
      staged_(std::max(staged_bytes, shared.options.frame_bytes_max + frame_extra_bytes)) {}

void Outgoing::move_to(std::vector<Address> addresses) {
  addresses_ = std::move(addresses);
  next_address_ = 0;
  socket_.close();
  state_ = State::idle;
  begin_ = end_ = 0;
  deadline_ = {};
  back_off_ = shared_->options.retry_first;
}

void Outgoing::offer(std::span<const std::byte> payload) noexcept {
  if (!queue_.push(payload)) ++shared_->counts.dropped;
}

bool Outgoing::call_if_due(Clock::time_point now) noexcept {
  if (state_ != State::idle || now < deadline_ || addresses_.empty()) return false;
  socket_ = begin_connect(addresses_[next_address_]);
  next_address_ = (next_address_ + 1) % addresses_.size();
  if (!socket_.is_open()) {
    fail(now);
    return false;
  }
  tune(socket_, shared_->options.silence_max);
  state_ = State::connecting;
  deadline_ = now + shared_->options.handshake_timeout;
  return true;
}

void Outgoing::expire(Clock::time_point now) noexcept {
  if (state_ != State::connecting && state_ != State::waiting) return;
  if (now < deadline_) return;
  ++shared_->counts.timeouts;
  fail(now);
}

void Outgoing::on_ready(bool is_writable, Clock::time_point now) noexcept {
  switch (state_) {
    case State::idle:
      return;
    case State::connecting:
      if (is_writable) greet(now);
      return;
    case State::waiting:
      hear_welcome(now);
      return;
    case State::open: {
      // A listener says nothing more: what can be read is the end. It is looked for first: frames
      // that went to such a connection would be lost, and those that wait go to the next one.
      std::byte byte{};
      if (receive(socket_, {&byte, 1}).state != Moved::State::later) return fail(now);
      flush(now);
    }
  }
}

void Outgoing::greet(Clock::time_point now) noexcept {
  if (!has_connected(socket_)) return fail(now);
  const auto& options = shared_->options;
  hello_ = encode({.from = shared_->self,
                   .to = peer_,
                   .nodes = shared_->nodes,
                   .frame_bytes_max = static_cast<std::uint32_t>(options.frame_bytes_max),
                   .nonce = random_nonce()},
                  shared_->secret);
  heard_ = 0;
  state_ = State::waiting;
  stage(hello_);
  flush(now);
}

void Outgoing::hear_welcome(Clock::time_point now) noexcept {
  const auto moved = receive(socket_, std::span(welcome_).subspan(heard_));
  if (moved.state == Moved::State::later) return;
  if (moved.state == Moved::State::closed) {
    // Who dies in the midst of it does so once.
    if (++rebuffs_ == rebuffs_to_warn)
      shared_->warn(shared_->has_warned_caller,
                    "a node closes each connection during the handshake: has it the same secret?");
    return fail(now);
  }
  heard_ += moved.bytes;
  if (heard_ < welcome_.size()) return;
  const auto nonce = decode(welcome_, hello_, shared_->secret);
  if (!nonce) {
    ++shared_->counts.refused;
    shared_->warn(shared_->has_warned_caller,
                  "what listens in the place of a node does not know the secret of this job");
    return fail(now);
  }
  session_ = Session(hello_, *nonce, shared_->secret);
  stage(proof(hello_, *nonce, shared_->secret));
  state_ = State::open;
  rebuffs_ = 0;
  back_off_ = shared_->options.retry_first;
  ++shared_->counts.connected;
  flush(now);
}

void Outgoing::fail(Clock::time_point now) noexcept {
  ++(state_ == State::open ? shared_->counts.lost_connections : shared_->counts.failed_connects);
  socket_.close();
  state_ = State::idle;
  begin_ = end_ = 0;
  // Up to twice as long, at random, so that nodes that lost each other do not call in step.
  const auto longest = static_cast<std::uint32_t>(back_off_.count());
  deadline_ = now + back_off_ + std::chrono::milliseconds(randombytes_uniform(longest + 1));
  back_off_ = std::min(2 * back_off_, shared_->options.retry_max);
}

void Outgoing::flush(Clock::time_point now) noexcept {
  if (state_ != State::waiting && state_ != State::open) return;
  for (;;) {
    if (begin_ == end_ && state_ == State::open) stage_frames();
    if (begin_ == end_) return;
    const auto moved = send(socket_, std::span(staged_).subspan(begin_, end_ - begin_));
    if (moved.state == Moved::State::later) return;
    if (moved.state == Moved::State::closed) return fail(now);
    begin_ += moved.bytes;
  }
}

void Outgoing::stage(std::span<const std::byte> bytes) noexcept {
  if (begin_ == end_) begin_ = end_ = 0;
  std::copy(bytes.begin(), bytes.end(), staged_.begin() + static_cast<std::ptrdiff_t>(end_));
  end_ += bytes.size();
}

void Outgoing::stage_frames() noexcept {
  begin_ = end_ = 0;
  while (!queue_.empty() && queue_.front().size() + frame_extra_bytes <= staged_.size() - end_) {
    const auto payload = queue_.front();
    std::array<std::byte, frame_head_bytes> head;
    put_u32(head.data(), static_cast<std::uint32_t>(payload.size()));
    stage(head);
    stage(payload);
    stage(session_.next_tag(payload));
    queue_.pop();
    ++shared_->counts.sent;
  }
}

}  // namespace cairn::transport::tcp
