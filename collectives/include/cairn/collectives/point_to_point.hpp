/// Point-to-point messages on buffers: blocking with comm, non-blocking with async(comm),
/// persistent with plan(comm). All local; counts have 64 bits.
///
///     send(comm, x, 1);
///     auto incoming = receive(async(comm), y, 0);
///     Received got = incoming.wait();
///
/// A message from a rank to itself has to fit into the buffer that receives it, also after probe():
/// Open MPI 4.1 may cut a longer one short without an error, or write past the end of the buffer.
/// send_receive() alone sees that beforehand.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <utility>

#include "cairn/collectives/collective.hpp"

namespace cairn {

/// What a receive got.
struct Received {
  int source = 0;
  int tag = 0;
  std::size_t count = 0;  ///< elements
};

namespace detail {

/// The elements of `type` that a message had. Local.
std::size_t count_of(const MPI_Status& status, MPI_Datatype type);

/// Ends the program with a message, unless an exception is on its way.
void destroyed_unreceived() noexcept;

/// The error that Open MPI 4.1 does not report.
void expect_own_message_fits(bool to_itself, std::size_t sent, std::size_t room);

/// The frame of a receive: its buffer, and what came.
template <typename Held>
struct ReceiveFrame {
  using Result = Received;
  static constexpr bool owns = true;
  Held out;
  MPI_Status status = {};
  Received received = {};

  void complete() {
    received = {status.MPI_SOURCE, status.MPI_TAG,
                count_of(status, datatype_of<ElementOf<Held>>())};
  }
  Received release() const noexcept { return received; }
  const Received& kept() const noexcept { return received; }
};

}  // namespace detail

/// Sends `data` (shape [n], n ≥ 0) to rank `destination` under `tag` (≥ 0). Returns when `data` may
/// be reused.
/// @throws Error{Errc::mpi_failure, internal} on this rank
template <Way W, typename B>
auto send(const W& way, B&& data, int destination, int tag = 0) {
  detail::expect_rank(detail::communicator_of(way), destination);
  detail::Signature signature{"send"};
  signature.kind = detail::Signature::Kind::message;
  return carry_out(way, signature, Where{},
                   detail::Frame{detail::hold(std::forward<B>(data)), detail::Nothing{}},
                   [destination, tag](auto& perform, auto& frame) {
                     const auto elements = frame.in.view();
                     const detail::Wire wire(elements);
                     perform(detail::native_send, static_cast<const void*>(elements.data),
                             wire.count, wire.type, destination, tag);
                   });
}

/// Receives at most the buffer's number of elements from rank `source` (or MPI_ANY_SOURCE) under
/// `tag` (or MPI_ANY_TAG), in the order they were sent.
/// @return source, tag and the number of elements that came
/// @throws Error{Errc::mpi_failure} on this rank, also when the message is longer than `data`,
///         unless this rank has sent it to itself (see above)
template <Way W, typename B>
auto receive(const W& way, B&& data, int source, int tag = 0) {
  if (source != MPI_ANY_SOURCE) detail::expect_rank(detail::communicator_of(way), source);
  auto out = detail::hold(std::forward<B>(data));
  static_assert(!decltype(out)::owns, "cairn: a receive writes to a buffer of the caller's");
  detail::Signature signature{"receive"};
  signature.kind = detail::Signature::Kind::message;
  return carry_out(way, signature, Where{}, detail::ReceiveFrame<decltype(out)>{std::move(out)},
                   [source, tag](auto& perform, auto& frame) {
                     const auto elements = frame.out.view();
                     const detail::Wire wire(elements);
                     perform.receive(detail::writable(elements.data), wire, source, tag,
                                     frame.status);
                   });
}

/// Sends and receives at once, so that rings and exchanges cannot deadlock. Blocking.
/// @throws Error{Errc::mpi_failure} on this rank, also when the message is longer than `room`
template <typename Out, typename In>
Received send_receive(const Communicator& comm, Out&& data, int destination, In&& room, int source,
                      int tag = 0) {
  detail::expect_rank(comm, destination);
  detail::expect_rank(comm, source);
  const auto out = detail::elements_of(data);
  const auto in = detail::elements_of(room);
  using T = detail::ValueOf<std::remove_cv_t<decltype(in)>>;
  detail::expect_own_message_fits(destination == comm.rank() && source == comm.rank(), out.count(),
                                  in.count());
  const detail::Wire sent(out);
  const detail::Wire received(in);
  MPI_Status status;
  check_mpi(
      MPI_Sendrecv(out.data, sent.count, sent.type, destination, tag, detail::writable(in.data),
                   received.count, received.type, source, tag, comm.native(), &status),
      "MPI_Sendrecv");
  return {status.MPI_SOURCE, status.MPI_TAG, detail::count_of(status, datatype_of<T>())};
}

/// A message that has arrived and that nobody else will receive: its size is known before its
/// buffer has to be.
///
/// Movable. Destroying a Message that was not received ends the program with a message of its own:
/// nobody can receive it any more, and its sender may wait for that. Where an exception takes it
/// along, that one tells why.
class Message {
 public:
  Message(MPI_Message handle, const MPI_Status& status) : handle_(handle), status_(status) {}
  Message(Message&& other) noexcept
      : handle_(std::exchange(other.handle_, MPI_MESSAGE_NULL)), status_(other.status_) {}
  Message& operator=(Message&&) = delete;
  ~Message() {
    if (handle_ != MPI_MESSAGE_NULL) detail::destroyed_unreceived();
  }

  [[nodiscard]] int source() const noexcept { return status_.MPI_SOURCE; }
  [[nodiscard]] int tag() const noexcept { return status_.MPI_TAG; }
  template <Element T>
  [[nodiscard]] std::size_t count() const {
    return detail::count_of(status_, datatype_of<T>());
  }

  /// Takes the message; once. Blocking, local. One from this rank itself has to fit (see above).
  template <typename B>
  Received receive(B&& data) {
    const auto elements = detail::elements_of(data);
    const detail::Wire wire(elements);
    expects(handle_ != MPI_MESSAGE_NULL, "a message is received once");
    check_mpi(MPI_Mrecv(detail::writable(elements.data), wire.count, wire.type, &handle_, &status_),
              "MPI_Mrecv");
    return {source(), tag(),
            detail::count_of(status_,
                             datatype_of<detail::ValueOf<std::remove_cv_t<decltype(elements)>>>())};
  }

 private:
  MPI_Message handle_;
  MPI_Status status_;
};

/// Waits for a message from `source` (or MPI_ANY_SOURCE) under `tag` (or MPI_ANY_TAG).
[[nodiscard]] Message probe(const Communicator& comm, int source, int tag);

/// Whether a message has arrived that probe() would find. Never blocks.
[[nodiscard]] bool has_message(const Communicator& comm, int source, int tag);

}  // namespace cairn
