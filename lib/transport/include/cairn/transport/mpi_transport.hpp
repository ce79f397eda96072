/// Messages over MPI: for protocols among ranks that live, some of which may hang.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>

#include "cairn/transport/mpi_mailbox.hpp"
#include "cairn/transport/transport.hpp"

namespace cairn::transport {

/// A Transport over an MpiMailbox.
///
///     MpiTransport<Message> transport(comm);        // collective; rank i is node i
///     transport.offer({self, 2, message});          // returns at once, whatever rank 2 does
///     … transport.poll(room) …
///     if (transport.mailbox().close(2s) == MpiMailbox::Closing::unfinished) …
///
/// Messages go as the bytes that they are in memory: all ranks are of one kind and run one program.
/// One that is delivered is unaltered, and those of a pair and lane come in order and once; earlier
/// ones may have given way. `from` is the rank that has sent it.
template <typename Message>
requires std::is_trivially_copyable_v<Message>
class MpiTransport {
 public:
  static_assert(sizeof(Message) <= MpiMailbox::message_bytes_max);

  /// Collective. @throws as MpiMailbox
  explicit MpiTransport(const Communicator& comm, const MpiMailboxOptions& options = {})
      : mailbox_(comm, sizeof(Message), options) {}

  void offer(const Envelope<Message>& envelope, int lane = 0) noexcept {
    mailbox_.offer(envelope.to, std::as_bytes(std::span(&envelope.message, 1)), lane);
  }

  std::size_t poll(std::span<Envelope<Message>> room) noexcept {
    mailbox_.progress();
    std::size_t taken = 0;
    for (; taken < room.size(); ++taken) {
      std::array<std::byte, sizeof(Message)> bytes;
      const auto from = mailbox_.take(bytes);
      if (from < 0) break;
      auto& envelope = room[taken];
      envelope.from = from;
      envelope.to = mailbox_.self();
      std::memcpy(&envelope.message, bytes.data(), sizeof(Message));
    }
    return taken;
  }

  [[nodiscard]] MpiMailbox& mailbox() noexcept { return mailbox_; }
  [[nodiscard]] const MpiMailbox& mailbox() const noexcept { return mailbox_; }
  [[nodiscard]] NodeIndex self() const noexcept { return mailbox_.self(); }

 private:
  MpiMailbox mailbox_;
};

}  // namespace cairn::transport
