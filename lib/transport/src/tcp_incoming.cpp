#include "tcp_incoming.hpp"

#include <algorithm>
#include <utility>

namespace cairn::transport::tcp {

namespace {

constexpr std::size_t buffer_bytes = 16384;

}  // namespace

void Stranger::begin(Socket socket, Clock::time_point deadline) noexcept {
  socket_ = std::move(socket);
  deadline_ = deadline;
  has_greeted_ = false;
  heard_ = 0;
}

Stranger::Verdict Stranger::on_ready(Shared& shared) noexcept {
  for (;;) {
    const auto room = has_greeted_ ? std::span<std::byte>(proof_) : std::span<std::byte>(hello_);
    const auto moved = receive(socket_, room.subspan(heard_));
    if (moved.state == Moved::State::later) return Verdict::pending;
    if (moved.state == Moved::State::closed) {
      ++shared.counts.hung_up;
      return Verdict::gone;
    }
    heard_ += moved.bytes;
    if (heard_ < room.size()) continue;
    const auto verdict = has_greeted_ ? on_proof(shared) : on_hello(shared);
    if (verdict != Verdict::pending) return verdict;
  }
}

Stranger::Verdict Stranger::on_hello(Shared& shared) noexcept {
  const auto hello = decode(hello_, shared.secret);
  const bool fits = hello && hello->to == shared.self && hello->from != shared.self &&
                    hello->nodes == shared.nodes &&
                    static_cast<std::uint32_t>(hello->from) < shared.nodes &&
                    hello->frame_bytes_max == shared.options.frame_bytes_max;
  if (!fits) return refuse(shared);
  from_ = hello->from;
  nonce_ = random_nonce();
  // A fresh connection has room for these bytes; one that has not is not of our nodes.
  const auto answer = welcome(hello_, nonce_, shared.secret);
  const auto moved = send(socket_, answer);
  if (moved.bytes != answer.size()) {
    ++shared.counts.hung_up;
    return Verdict::gone;
  }
  has_greeted_ = true;
  heard_ = 0;
  return Verdict::pending;
}

Stranger::Verdict Stranger::on_proof(Shared& shared) noexcept {
  if (!are_equal(proof_, proof(hello_, nonce_, shared.secret))) return refuse(shared);
  ++shared.counts.accepted;
  return Verdict::known;
}

Stranger::Verdict Stranger::refuse(Shared& shared) noexcept {
  ++shared.counts.refused;
  shared.warn(shared.has_warned_listener,
              "refused a connection that does not know the secret of this job, or is of another "
              "shape of it; more will be counted only");
  return Verdict::gone;
}

Incoming::Incoming(const Shared& shared)
    : buffer_(std::max(buffer_bytes, 2 * (shared.options.frame_bytes_max + frame_extra_bytes))) {}

void Incoming::begin(Socket socket, Session session) noexcept {
  socket_ = std::move(socket);
  session_ = session;
  begin_ = end_ = 0;
  may_have_more_ = true;  // bytes behind the proof may be there already
}

void Incoming::end() noexcept {
  socket_.close();
  begin_ = end_ = 0;
  may_have_more_ = false;
}

std::optional<std::span<const std::byte>> Incoming::take(Shared& shared) noexcept {
  for (;;) {
    std::span<const std::byte> payload;
    switch (parse(shared, payload)) {
      case Parsed::frame:
        ++shared.counts.received;
        return payload;
      case Parsed::bad:
        ++shared.counts.bad_frames;
        end();
        return {};
      case Parsed::incomplete:
        break;
    }
    if (!may_have_more_ || !socket_.is_open()) return {};
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    end_ -= begin_;
    begin_ = 0;
    const auto moved = receive(socket_, std::span(buffer_).subspan(end_));
    if (moved.state == Moved::State::closed) {
      ++shared.counts.lost_connections;
      end();
      return {};
    }
    if (moved.state == Moved::State::later) may_have_more_ = false;
    end_ += moved.bytes;
  }
}

Incoming::Parsed Incoming::parse(const Shared& shared,
                                 std::span<const std::byte>& payload) noexcept {
  const auto bytes = std::span<const std::byte>(buffer_).subspan(begin_, end_ - begin_);
  if (bytes.size() < frame_head_bytes) return Parsed::incomplete;
  const auto size = get_u32(bytes.data());
  if (size > shared.options.frame_bytes_max) return Parsed::bad;
  if (bytes.size() < size + frame_extra_bytes) return Parsed::incomplete;
  payload = bytes.subspan(frame_head_bytes, size);
  const auto tag = bytes.subspan(frame_head_bytes + size, sizeof(FrameTag));
  if (!are_equal(tag, session_.next_tag(payload))) return Parsed::bad;
  begin_ += size + frame_extra_bytes;
  return Parsed::frame;
}

}  // namespace cairn::transport::tcp
