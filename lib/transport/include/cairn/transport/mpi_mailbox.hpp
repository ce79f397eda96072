/// Small messages between the ranks of a communicator that may be dropped, and never block.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "cairn/collectives/communicator.hpp"
#include "cairn/transport/envelope.hpp"

namespace cairn::transport {

struct MpiMailboxOptions {
  /// A rank that has not taken a message for so long is suspected. Only is_suspect() says so:
  /// whether or not, nothing more is sent to it until it has taken that one.
  std::chrono::milliseconds suspect_after{1000};
  /// Ways to each rank: a message waits, and gives way, for those of its lane alone.
  int lanes = 1;
};

/// What has happened since the start.
struct MpiMailboxCounts {
  std::uint64_t offered = 0;
  std::uint64_t sent = 0;      ///< given to MPI
  std::uint64_t replaced = 0;  ///< waited for the rank, and a later one took the place
  std::uint64_t dropped = 0;   ///< no such rank, closed, or MPI reported an error
  std::uint64_t received = 0;
  friend bool operator==(const MpiMailboxCounts&, const MpiMailboxCounts&) = default;
};

/// One rank's end: messages of one size over a private duplicate of a communicator.
///
///     offer(to) ──▶ [ waiting: the latest ] ──▶ [ in flight: one ] ──MPI_Issend──▶ take()
///                     one of each for every rank and lane                        MPI_Improbe
///
/// A send is synchronous, so it is complete when the other rank has taken the message, and not when
/// some buffer has: at most one message of a pair and lane is anywhere between its ends. What a
/// rank that is stopped, dead or busy costs is one pending send, and memory is bounded at both
/// ends, also within MPI. Later offers replace the waiting one.
///
/// offer, take and progress are local, never block, never throw and do not allocate. The thread
/// that uses it is the one that may call MPI (MPI_THREAD_FUNNELED). A rank's number is its node's.
///
/// **The end.** MPI cannot take back a send, so close() waits, for a bounded time, until all is
/// taken: each rank receives and drops what comes, enters a non-blocking barrier when its own sends
/// are complete, and leaves when the barrier is. Then nothing is under way. (This is the consensus
/// of non-blocking sparse exchanges.) Where a rank does not come, close() says `unfinished`; it may
/// be called again. A mailbox that goes without a clean end leaves its communicator and buffers to
/// the process, as pending sends need them; MPI_Finalize may then wait for ever, so that such a
/// program leaves by Runtime::abort.
///
/// Source: Hoefler, Siebert, Lumsdaine, "Scalable communication protocols for dynamic sparse data
/// exchange", PPoPP 2010, doi:10.1145/1693453.1693476.
class MpiMailbox {
 public:
  /// One fragment of every usual transport of MPI, so that a message comes whole or not at all.
  static constexpr std::size_t message_bytes_max = 3072;
  /// Messages to oneself that wait; the oldest gives way.
  static constexpr std::size_t own_max = 32;
  static constexpr int lanes_max = 16;

  /// Collective over `parent`, whose ranks all give the same size.
  /// @param message_bytes  1 … message_bytes_max
  /// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one; internal for a size, or a
  /// number of lanes (1 … 16), that is out of range
  MpiMailbox(const Communicator& parent, std::size_t message_bytes,
             const MpiMailboxOptions& options = {});
  ~MpiMailbox();
  MpiMailbox(MpiMailbox&&) noexcept;
  MpiMailbox& operator=(MpiMailbox&&) noexcept;

  /// Sends `message`, or keeps it as the latest for a rank that has not taken the last one.
  void offer(NodeIndex to, std::span<const std::byte> message, int lane = 0) noexcept;

  /// Completes sends, and begins those that wait for one.
  void progress() noexcept;

  /// Takes one message that has come; -1 when there is none.
  /// @param message  room for message_bytes
  [[nodiscard]] NodeIndex take(std::span<std::byte> message) noexcept;

  enum class Closing : std::uint8_t { clean, unfinished };
  /// Ends it. Every rank calls it; returns when all have, at the latest after `patience`. Ranks may
  /// differ in the answer when one comes late. Nothing is sent or heard any more, whatever the
  /// answer.
  /// @throws Error{Errc::mpi_failure} on the ranks where MPI reports one
  [[nodiscard]] Closing close(std::chrono::milliseconds patience);

  /// Throws the first error that MPI has reported in offer, take or progress, if any. Local.
  /// @throws Error{Errc::mpi_failure}
  void check() const;

  /// Whether the rank has not taken a message, of any lane, for `suspect_after`. Local.
  [[nodiscard]] bool is_suspect(NodeIndex node) const noexcept;
  /// Messages that are in this end's memory: in flight, waiting, or to oneself. Local.
  [[nodiscard]] std::size_t held() const noexcept;
  /// Messages of a lane that wait for a rank which is not suspected: what a little more patience
  /// will send.
  [[nodiscard]] std::size_t waiting(int lane = 0) const noexcept;
  [[nodiscard]] const MpiMailboxCounts& counts() const noexcept;
  [[nodiscard]] NodeIndex self() const noexcept;
  [[nodiscard]] int nodes() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cairn::transport
