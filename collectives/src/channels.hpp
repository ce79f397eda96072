/// Messages whose length the receiver does not know, between all pairs of ranks of a communicator.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <span>
#include <vector>

#include "cairn/collectives/byte_buffer.hpp"

namespace cairn::detail {

/// One message from each of some ranks and to each of some ranks, in rounds:
///
///     post(sources)…   send(destinations)…   length(sources)…   take(sources)…   finish()
///
/// A pair whose last message was short expects a short one again: the receive is posted beforehand,
/// into a slot of short_bytes, and the status of the receive tells the length. Nothing is probed,
/// and no header is in the way. A longer message then comes in two pieces: an *announcement*, which
/// fills the slot to one word above short_bytes (length, then the first short_bytes of the data),
/// and the rest. After a long message both sides know to expect a long one: it goes whole, and the
/// receiver probes for its length, so that it arrives in its place without a copy.
///
/// Both sides of a pair see the same messages, so they always agree on what they expect, as long as
/// every message that is sent is taken.
class Channels {
 public:
  /// Local. `comm` carries nothing else under `tag`.
  Channels(MPI_Comm comm, int ranks, int tag);

  /// Makes ready to receive from `source`. Before the sends, or two ranks may wait for each other.
  /// A rank that does not send can do without.
  void post(int source);

  /// Starts to send; `data` is the caller's until finish().
  void send(int destination, std::span<const std::byte> data);

  /// Waits until the length of the message from `source` is known.
  [[nodiscard]] std::size_t length(int source);

  /// Starts to receive it to `data` (shape [length(source)]).
  void take(int source, std::byte* data);

  /// Waits for all that was started.
  void finish();

 private:
  struct Incoming {
    MPI_Request posted = MPI_REQUEST_NULL;
    MPI_Message probed = MPI_MESSAGE_NULL;
    std::size_t length = 0;
    bool expects_long = false;
  };

  [[nodiscard]] std::byte* slot(int source) {
    return slots_.data() + static_cast<std::size_t>(source) * slot_bytes_;
  }
  void send_short(int destination, std::span<const std::byte> data);
  void announce(int destination, std::span<const std::byte> data);
  void start_send(int destination, std::span<const std::byte> data);
  void start_receive(int source, std::span<std::byte> data);

  MPI_Comm comm_;
  int tag_;
  std::size_t short_bytes_;
  std::size_t slot_bytes_;
  ByteBuffer slots_;         // one a source
  ByteBuffer announcement_;  // one is enough, as it is sent before the next is written
  std::vector<Incoming> in_;
  std::vector<unsigned char> sends_long_;  // by destination
  std::vector<MPI_Request> started_;
};

/// Bytes of a message that was received or probed.
std::size_t received_bytes(const MPI_Status& status);

}  // namespace cairn::detail
